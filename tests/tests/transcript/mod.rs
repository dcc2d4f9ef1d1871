//! Transcripts as files: made fit to be shared, and made of captures.

#[path = "../../../core/runtime/src/capture/testing.rs"]
mod capture;
mod import;
mod scrub;

use glucopipe_emulator::{ModelEntry, catalog};
use glucopipe_sdk::transcript::Transcript;
use glucopipe_tests::Workspace;

/// The virtual meters that are ones.
fn meters() -> impl Iterator<Item = &'static ModelEntry> {
    catalog().iter().filter(|model| model.key != "usb-stick")
}

/// Records a dump of a virtual meter; gives what it printed.
fn recorded(workspace: &Workspace, meter: &str, file: &str) -> String {
    let device = format!("virtual:{meter}");
    let dump = workspace.run(&["-q", "dump", "--device", &device, "--record", file]);
    assert!(workspace.read(file).is_some(), "{meter}: {}", dump.stderr);
    dump.stdout
}

/// Dumps a recording.
fn replayed(workspace: &Workspace, file: &str) -> String {
    let device = format!("replay:{file}");
    workspace.run(&["-q", "dump", "--device", &device]).stdout
}

fn parsed(workspace: &Workspace, file: &str) -> Transcript {
    Transcript::parse(&workspace.read(file).expect("a transcript")).expect("a transcript")
}
