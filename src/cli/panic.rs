//! A panic is a fault of ours: exit code 70, where it happened, and a request for a report. Never a
//! stack trace, and never the value that caused it: its text passes the redaction first.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;

use crate::config::redact;
use crate::model::ErrorClass;

use super::failure::REPORT;
use super::output::print_note;

/// Runs `work`; a panic on this thread becomes exit code 70.
pub(super) fn guard(work: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(report));
    catch(work)
}

fn catch(work: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| ExitCode::from(ErrorClass::Bug.exit_code()))
}

fn report(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, |location| {
        format!(" at {}:{}", location.file(), location.line())
    });
    let message = redact(text_of(info.payload()));
    print_note(&format!("error: panic{place}: {message}\n{REPORT}"));
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_exit_code_70() {
        let code = catch(|| panic!("boom"));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(70)));
        assert_eq!(text_of(&"boom"), "boom");
        assert_eq!(text_of(&"boom".to_owned()), "boom");
        assert_eq!(text_of(&7), "no text");
    }
}
