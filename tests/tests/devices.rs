//! Device nodes and what opens them, as far as that shows without a meter.

use std::os::unix::fs::symlink;

use glucopipe_tests::Workspace;

use crate::support::shown;

/// What is at a path but is no meter's is refused before anything is said to it, whoever should read it.
#[test]
fn what_no_driver_knows_is_refused() {
    let workspace = Workspace::new();
    symlink("/dev/null", workspace.path().join("meter")).unwrap();
    let link = format!("path:{}", workspace.path().join("meter").display());
    for selector in ["path:/dev/null", &link, "path:/dev"] {
        for driver in [&[][..], &["--driver", "verio"], &["--driver", "contour"]] {
            let arguments = [&["info", "--device", selector], driver].concat();
            let finished = workspace.run(&arguments);
            assert_eq!(finished.code, 4, "{arguments:?}: {}", finished.stderr);
            let named = if selector == "path:/dev" {
                "error[GP0201]: no driver knows the folder at /dev\n"
            } else {
                "error[GP0201]: no driver knows the device at /dev/null\n"
            };
            assert!(finished.stderr.starts_with(named), "{}", finished.stderr);
        }
    }
}

/// A file is opened as a file, not as a disk.
#[test]
fn a_file_is_no_disk() {
    let workspace = Workspace::new();
    workspace.write("disk.img", "LIFESCAN");
    let selector = format!("path:{}", workspace.path().join("disk.img").display());
    let finished = workspace.run(&["info", "--driver", "verio", "--device", &selector]);
    insta::assert_snapshot!(shown(&workspace, &finished));
    assert_eq!(workspace.read("disk.img").as_deref(), Some("LIFESCAN"));
}

/// The rule file has a rule for each meter that is opened by a node, for the seat and for a group.
#[test]
fn rules_are_printed_for_every_meter() {
    let workspace = Workspace::new();
    let finished = workspace.run(&["doctor", "--udev"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    let rules: Vec<&str> = finished
        .stdout
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let has = |words: &[&str]| {
        let fits = |line: &&&str| words.iter().all(|word| line.contains(word));
        rules.iter().filter(fits).count()
    };
    for (link, vendor, product) in [
        ("hidraw", "1a79", "7410"),
        ("scsi_generic", "2766", "0004"),
        ("scsi_generic", "2766", "1004"),
    ] {
        let vendor = format!("ATTRS{{idVendor}}==\"{vendor}\"");
        let product = format!("ATTRS{{idProduct}}==\"{product}\"");
        assert_eq!(has(&[link, &vendor, &product]), 1);
    }
    assert_eq!(has(&["TAG+=\"uaccess\""]), 1);
    assert_eq!(has(&["GROUP=\"glucopipe\"", "MODE=\"0660\""]), 1);
    assert_eq!(has(&["2766"]), has(&["UDISKS_IGNORE"]));
    assert_eq!(has(&["0666"]), 0);
}

/// The doctor says of plugins and surroundings, and goes well without a meter.
#[test]
fn doctor_looks_without_a_meter() {
    let workspace = Workspace::new();
    let finished = workspace.run(&["doctor"]);
    if !finished.stdout.contains("meters: none attached\n") {
        return;
    }
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    for line in [
        "journal.db: none yet",
        "time zone UTC: this computer is 0 min",
    ] {
        assert!(finished.stdout.contains(line), "{}", finished.stdout);
    }
    assert!(!workspace.path().join("state").exists());
    assert!(
        finished.stdout.contains(": driver verio\n"),
        "{}",
        finished.stdout
    );
    let no_usb =
        std::fs::read_dir("/sys/bus/usb/devices").map_or(true, |mut list| list.next().is_none());
    assert_eq!(
        finished.stderr.contains("this system shows no USB devices"),
        no_usb
    );
}

/// The doctor looks at the journal of the pipeline here, and changes nothing of it.
#[cfg(unix)]
#[test]
fn doctor_looks_at_the_journal() {
    use std::os::unix::fs::PermissionsExt;
    let workspace = Workspace::new();
    workspace.write(
        "pipeline.toml",
        "[sources.meter]\ndevice = \"virtual:contour-next-usb?records=20\"\n[sinks.sheet]\nexporter = \"csv\"\n\
         inputs = [\"meter\"]\npath = \"sheet.csv\"\n[journal]\npath = \"kept here/it.db\"\n",
    );
    assert_eq!(workspace.run(&["run"]).code, 0);
    let path = workspace.path().join("kept here/it.db");
    let doctor = |code: i32, words: &str| {
        let before = std::fs::read(&path).expect("a journal");
        let finished = workspace.run(&["doctor"]);
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(said.contains(words), "{said}");
        assert!(code == 0 || finished.code == code, "{said}");
        assert_eq!(std::fs::read(&path).expect("a journal"), before);
    };
    doctor(0, "journal kept here/it.db: version 2, whole\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    doctor(1, "chmod 600 'kept here/it.db'");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let mut bytes = std::fs::read(&path).expect("a journal");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xa5);
    std::fs::write(&path, bytes).expect("a journal");
    doctor(1, "error[GP0705]");
}
