//! Short messages, and leaving.

use crate::console::message::Effect;
use crate::console::model::{Leaving, Model, Toast, ToastKind};
use crate::status::Command;

/// Shows a short message.
pub(super) fn toast(model: &mut Model, text: impl Into<String>) {
    push_toast(model, text.into(), ToastKind::Told);
}

/// Shows a short message about something that did not work.
pub(super) fn warn(model: &mut Model, text: impl Into<String>) {
    push_toast(model, text.into(), ToastKind::Failed);
}

/// The newest of a kind takes the place of the one before: they would hide what they speak about.
pub(super) fn push_toast(model: &mut Model, text: String, kind: ToastKind) {
    model.toasts.retain(|toast| toast.kind != kind);
    let until_ms = model.now_ms + TOAST_MS;
    model.toasts.push(Toast {
        text,
        kind,
        until_ms,
    });
}

/// Starts to leave; returns what to ask of the engine.
pub(super) fn leave(model: &mut Model) -> Vec<Effect> {
    match model.leaving {
        Leaving::No if !model.attached && !model.is_at_rest() && model.latest.started_at_s != 0 => {
            let stopped_by_ms = model.now_ms + STOP_MS;
            model.leaving = Leaving::When { stopped_by_ms };
            model.overlay = None;
            toast(
                model,
                "finishing the transaction in hand; ^C again leaves at once",
            );
            vec![Effect::Command(Command::Stop)]
        }
        Leaving::No | Leaving::When { .. } | Leaving::Now => {
            model.leaving = Leaving::Now;
            Vec::new()
        }
    }
}

/// A toast stays long enough to be read twice.
pub(super) const TOAST_MS: i64 = 6000;

/// Longest wait for the engine to finish the transaction in hand before the console closes; what
/// is unfinished then is rolled back by the target and comes again.
pub(super) const STOP_MS: i64 = 10_000;

/// Says why nothing happens.
pub(super) fn refuse(model: &mut Model, reason: impl Into<String>) {
    push_toast(model, reason.into(), ToastKind::Refused);
}
