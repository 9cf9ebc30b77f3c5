//! What somebody has entered into a wizard, and of which kind it is.

/// What a wizard is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Set a pipeline up.
    Init,
    /// Take one down.
    TearDown,
}

impl Kind {
    /// Returns the screens in order.
    pub(crate) const fn steps(self) -> &'static [Step] {
        match self {
            Self::Init => &[
                Step::Source,
                Step::Target,
                Step::Preflight,
                Step::Tables,
                Step::FirstCopy,
                Step::Plan,
                Step::Run,
                Step::Start,
            ],
            Self::TearDown => &[
                Step::Servers,
                Step::Plan,
                Step::Confirm,
                Step::Run,
                Step::Verify,
            ],
        }
    }

    /// Returns the name of the file that a plan is written to.
    pub(crate) const fn plan_file(self) -> &'static str {
        match self {
            Self::Init => "pgstream-init-plan.sql",
            Self::TearDown => "pgstream-tear-down-plan.sql",
        }
    }

    /// Returns the name of the wizard.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Init => "Init",
            Self::TearDown => "Tear-down",
        }
    }
}

/// What a wizard knows of the pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WizardValues {
    /// Address of the source.
    pub source: String,
    /// Address of the target; may be empty for a tear-down.
    pub target: String,
    /// The slot; empty: named after the database.
    pub slot: String,
    /// The output plugin.
    pub plugin: String,
    /// Whether schema changes replicate.
    pub schema: bool,
    /// The tables that replicate, as a configuration lists them; empty: all.
    pub include: String,
    /// The tables that do not.
    pub exclude: String,
    /// Whether existing rows are copied first.
    pub copy: bool,
    /// The tables whose rows are copied; empty: all that replicate.
    pub copy_tables: String,
    /// How many copies run at the same time; empty: as many as the machine allows.
    pub copy_workers: String,
}

/// One screen of a wizard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Source,
    Target,
    Preflight,
    Tables,
    FirstCopy,
    Plan,
    Run,
    Start,
    Servers,
    Confirm,
    Verify,
}
