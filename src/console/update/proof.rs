//! What is asked on the Verify screen.

use crate::console::items::selected_compared;
use crate::console::message::Effect;
use crate::console::model::Model;
use crate::console::model::proof::{Comparison, News};
use crate::status::{Command, Phase};

use super::ask;
use super::toast::toast;

/// Begins to compare everything.
pub(super) fn start(model: &mut Model) -> Vec<Effect> {
    begin(model, Comparison::default())
}

/// Compares the selected table again, and shows what its differing rows hold.
pub(super) fn values(model: &mut Model) -> Vec<Effect> {
    let Some(one) = selected_compared(model) else {
        return Vec::new();
    };
    let table = one.table.as_ref().map(|table| table.table.to_string());
    begin(
        model,
        Comparison {
            table,
            repair: false,
            show_values: true,
        },
    )
}

/// Asks before rows of the target are changed.
pub(super) fn repair(model: &mut Model) -> Vec<Effect> {
    ask::repair(model);
    Vec::new()
}

fn begin(model: &mut Model, comparison: Comparison) -> Vec<Effect> {
    model.overlay = None;
    model.proof.begin(comparison.clone(), model.now_ms);
    vec![Effect::Compare(comparison)]
}

/// Takes in what a comparison says; what is on record may be another now. Behind a target that was taken
/// over the stream goes on.
pub(super) fn on_news(model: &mut Model, news: News) -> Vec<Effect> {
    let ended = matches!(news, News::Ended(_) | News::Stopped);
    let taken_over = matches!(&news, News::Ended(Ok(report)) if report.adopted);
    model.proof.take(news);
    if ended {
        model.servers.want_proof();
    }
    if !taken_over {
        return Vec::new();
    }
    toast(model, "the target is taken over: streaming on");
    match model.latest.phase {
        Phase::Held => vec![Effect::Command(Command::Retry)],
        Phase::Stopped | Phase::Crashed if !model.attached => vec![Effect::StartEngine],
        _ => Vec::new(),
    }
}
