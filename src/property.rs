//! How long property tests look for a counter-example: the one place that reads `PROPTEST_SECS`.
//!
//! Without it a property is tried on as many cases as proptest has by default, with it for so many
//! seconds each, every round with new random cases.

use std::time::Duration;

use tokio::time::Instant;

/// Test functions as in [`proptest::proptest!`], for as long as is asked for.
macro_rules! properties {
    ($($(#[$meta:meta])* fn $name:ident($($arguments:tt)*) $body:block)*) => {
        $($(#[$meta])*
        fn $name() {
            proptest::proptest! {
                fn property($($arguments)*) $body
            }
            $crate::property::repeat(property);
        })*
    };
}

pub(crate) use properties;

/// Runs a property once, and again until the time that was asked for is over.
pub(crate) fn repeat(property: fn()) {
    let asked = std::env::var("PROPTEST_SECS").ok();
    let seconds = asked.map_or(0, |text| text.parse().expect("PROPTEST_SECS is a number"));
    let (started, budget) = (Instant::now(), Duration::from_secs(seconds));
    property();
    while started.elapsed() < budget {
        property();
    }
}
