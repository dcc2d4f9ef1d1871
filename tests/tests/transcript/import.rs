//! `transcript import`: what Wireshark captured, as a recording.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use glucopipe_tests::Workspace;

use super::capture::{Capture, Head};
use super::{meters, parsed, recorded, replayed};
use crate::support::shown;
use crate::table::csv;

const METER: (u16, u8) = (3, 17);

fn import(workspace: &Workspace, arguments: &[&str]) -> glucopipe_tests::Finished {
    let all = [
        &["transcript", "import", "usb.pcapng", "-o", "made"],
        arguments,
    ]
    .concat();
    workspace.run(&all)
}

fn save(workspace: &Workspace, capture: &Capture) {
    fs::write(workspace.path().join("usb.pcapng"), &capture.bytes).expect("a capture");
}

/// What each meter said, captured in each form and imported, gives the readings that it gave.
#[test]
fn every_meter_is_read_out_of_a_capture() {
    let forms = [
        (Head::Long, true),
        (Head::Windows, true),
        (Head::Short, false),
    ];
    for (model, (head, is_ng)) in meters().zip(forms.into_iter().cycle()) {
        let workspace = Workspace::new();
        let meter = format!("{}?records=25", model.key);
        let expected = recorded(&workspace, &meter, "own");
        let mut capture = Capture::new(head, is_ng, false);
        capture.description((3, 1), 0x1d6b, 2);
        capture.description(METER, model.usb.vendor, model.usb.product);
        capture.converse(METER, &parsed(&workspace, "own"));
        save(&workspace, &capture);
        let finished = import(&workspace, &[]);
        assert_eq!(finished.code, 0, "{}: {}", model.key, finished.stderr);
        assert_eq!(replayed(&workspace, "made"), expected, "{}", model.key);
        let mode = fs::metadata(workspace.path().join("made"))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        // And what was imported can be shared.
        let scrub = workspace.run(&["transcript", "scrub", "made", "-o", "shared"]);
        assert_eq!(scrub.code, 0, "{}: {}", model.key, scrub.stderr);
    }
}

/// Without the meter's description the driver is to be named.
#[test]
fn a_meter_without_ids_is_read_by_name() {
    let workspace = Workspace::new();
    let expected = recorded(&workspace, "contour-next-one?records=3", "own");
    let mut capture = Capture::new(Head::Long, true, false);
    capture.converse(METER, &parsed(&workspace, "own"));
    save(&workspace, &capture);
    let finished = import(&workspace, &[]);
    insta::assert_snapshot!(shown(&workspace, &finished));
    let device = ["--device", "replay:made"];
    let unnamed = workspace.run(&["-q", "dump", device[0], device[1]]);
    assert_eq!(unnamed.code, 4, "{}", unnamed.stderr);
    let named = workspace.run(&["-q", "dump", "--driver", "contour", device[0], device[1]]);
    // Who does not know the model wakes it up in another order, and needs longer.
    let ids = |text: &str| csv(text).texts("reading_id").join(" ");
    assert_eq!(ids(&named.stdout), ids(&expected));
}

#[test]
fn two_devices_are_listed() {
    let workspace = Workspace::new();
    recorded(&workspace, "contour-next?records=2", "own");
    recorded(&workspace, "verio?records=2", "disk");
    let mut capture = Capture::new(Head::Windows, true, false);
    capture.description(METER, 0x1a79, 0x7350);
    capture.converse(METER, &parsed(&workspace, "own"));
    capture.converse((3, 18), &parsed(&workspace, "disk"));
    save(&workspace, &capture);
    let finished = import(&workspace, &[]);
    insta::assert_snapshot!(shown(&workspace, &finished));
    let finished = import(&workspace, &["--device", "3.18"]);
    insta::assert_snapshot!(shown(&workspace, &finished));
    assert_eq!(parsed(&workspace, "made").link, "scsi");
    let again = import(&workspace, &["--device", "3.17"]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    let wrong = import(&workspace, &["--device", "17"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
}

#[test]
fn what_is_no_capture_is_refused() {
    let workspace = Workspace::new();
    recorded(&workspace, "contour-next?records=2", "usb.pcapng");
    let finished = import(&workspace, &[]);
    assert_eq!(workspace.read("made"), None);
    insta::assert_snapshot!(shown(&workspace, &finished));
}
