//! `make deps` on machines that are not this one: what it asks of which package manager. The managers
//! are stand-ins that write down what they are asked and «install» by touching files; the one of
//! this machine is used for real by every `make test` on a fresh one.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

/// What the script itself uses of a system, and the stand-ins.
const TOOLS: &[&str] = &[
    "cat", "chmod", "env", "grep", "mkdir", "readlink", "sed", "sort", "tr", "touch",
];

/// «Installs» a server, a plugin or a compiler when their packages are named.
const MANAGER: &str = r#"#!/bin/sh
echo "${0##*/} $*" >> "$ROOT/asked"
case "$*" in
  *"install -y postgresql-server postgresql"|"install postgresql@17")
    mkdir -p "$ROOT/pg/bin" "$ROOT/pg/lib"
    touch "$ROOT/pg/bin/initdb"
    printf '#!/bin/sh\necho "postgres (PostgreSQL) 17.4"\n' > "$ROOT/pg/bin/postgres"
    chmod +x "$ROOT/pg/bin/initdb" "$ROOT/pg/bin/postgres" ;;
  *"install -y wal2json"|"install wal2json") touch "$ROOT/pg/lib/wal2json.so" ;;
  *"install -y gcc") touch "$ROOT/bin/cc"; chmod +x "$ROOT/bin/cc" ;;
esac
"#;

/// A machine with nothing but what it is given.
struct Machine {
    root: TempDir,
}

impl Machine {
    fn new(role: &str, programs: &[(&str, &str)]) -> Self {
        let machine = Self {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(machine.path("bin")).unwrap();
        for tool in TOOLS {
            let found = ["/usr/bin", "/bin"].map(|place| PathBuf::from(place).join(tool));
            let found = found.iter().find(|path| path.exists()).expect(tool);
            symlink(found, machine.path(&format!("bin/{tool}"))).unwrap();
        }
        machine.add("id", &format!("#!/bin/sh\necho {role}\n"));
        machine.add("cargo", "#!/bin/sh\n");
        for (name, text) in programs {
            machine.add(name, text);
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn add(&self, name: &str, text: &str) {
        let path = self.path(&format!("bin/{name}"));
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn deps(&self) -> Output {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/setup/deps.sh");
        let mut command = Command::new("/bin/sh");
        command
            .arg(script)
            .env_clear()
            .env("ROOT", self.root.path());
        command.env("PATH", self.path("bin"));
        command.env("PGSTREAM_PG_BIN_DIR", self.path("pg/bin"));
        command.output().unwrap()
    }

    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.path("asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const SUDO: &str = "#!/bin/sh\necho \"sudo\" >> \"$ROOT/asked\"\nexec \"$@\"\n";

#[test]
fn with_dnf_it_installs_what_is_missing_through_sudo_and_nothing_the_second_time() {
    let machine = Machine::new("1000", &[("dnf", MANAGER), ("sudo", SUDO)]);

    let installed = machine.deps();

    assert!(installed.status.success(), "{}", printed(&installed));
    let expected = [
        "sudo",
        "dnf install -y postgresql-server postgresql",
        "dnf -q list --available wal2json",
        "sudo",
        "dnf install -y wal2json",
        "sudo",
        "dnf install -y gcc",
    ];
    assert_eq!(machine.asked(), expected);
    for part in [
        "no PostgreSQL server 14 to 18 found",
        "+ dnf install -y postgresql-server postgresql",
        "PostgreSQL 17.4 with wal2json in",
    ] {
        assert!(
            printed(&installed).contains(part),
            "{part}: {}",
            printed(&installed)
        );
    }

    let again = machine.deps();
    assert!(again.status.success(), "{}", printed(&again));
    assert_eq!(machine.asked(), expected);
}

#[test]
fn with_brew_nobody_needs_to_be_root() {
    let cc = ("cc", "#!/bin/sh\n");
    let machine = Machine::new("1000", &[("brew", MANAGER), cc]);

    let installed = machine.deps();

    assert!(installed.status.success(), "{}", printed(&installed));
    assert_eq!(
        machine.asked(),
        ["brew install postgresql@17", "brew install wal2json"]
    );
}

#[test]
fn who_may_not_install_or_has_nothing_to_install_with_is_reported_what_to_do() {
    let check = |programs: &[(&str, &str)], expected: &str| {
        let machine = Machine::new("1000", programs);
        let refused = machine.deps();
        assert_eq!(refused.status.code(), Some(1), "{}", printed(&refused));
        assert!(
            printed(&refused).contains(expected),
            "{}",
            printed(&refused)
        );
        assert_eq!(machine.asked(), [""; 0]);
    };

    check(
        &[("dnf", MANAGER)],
        "installing needs root, and there is no sudo: run `make deps` once as root",
    );
    check(
        &[],
        "no apt-get, dnf or brew here; install PostgreSQL 14 to 18 and wal2json",
    );
}
