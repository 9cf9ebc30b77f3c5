//! Kinds of objects that stay on the source.

use crate::config::LeftOut;

use super::entry::{Change, Images, ObjectChange};

impl Change {
    /// Takes out what stays on the source. A function that acts with the rights of its owner is made with him or
    /// not at all.
    pub fn leave_out(&mut self, left_out: &LeftOut) {
        if left_out.is_empty() {
            return;
        }
        self.objects.retain(|object| match object {
            ObjectChange::Object(images) => !images.any(|object| left_out.has(&object.kind)),
            ObjectChange::Index(images) => {
                !(left_out.has("materialized view") && images.any(|index| index.materialized))
            }
            _ => true,
        });
        self.others
            .retain(|other| other.view.is_none() || !left_out.has("materialized view"));
        self.privileges
            .retain(|change| !left_out.has("privilege") && !left_out.has(&change.kind));
        if left_out.has("owner") {
            self.objects
                .iter_mut()
                .for_each(ObjectChange::leave_owner_out);
        }
    }
}

impl ObjectChange {
    fn leave_owner_out(&mut self) {
        match self {
            Self::Schema(images) => each(images, |schema| schema.owner.clear()),
            Self::Table(images) => each(images, |table| table.owner.clear()),
            Self::Sequence(images) => each(images, |sequence| sequence.owner.clear()),
            Self::Type(images) => each(images, |of| of.owner.clear()),
            Self::Object(images) => each(images, |object| {
                object.owner.take_if(|_| !object.definer);
            }),
            Self::Index(_) | Self::Constraint(_) => {}
        }
    }
}

fn each<T>(images: &mut Images<T>, change: impl Fn(&mut T)) {
    let all = images.before.iter_mut().chain(&mut images.after);
    all.for_each(change);
}
