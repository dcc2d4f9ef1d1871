//! Any text somebody calls a transcript, for the fuzz target `transcript` and the test that replays its
//! corpus.

use glucopipe_runtime::transport::transcript::{Transcript, header};

/// What is read can be written and read again.
pub(crate) fn run(text: &str) {
    let Ok(read) = Transcript::parse(text) else {
        return;
    };
    let usb = read.usb.as_ref();
    let usb = usb.map(|(vendor, product)| (vendor.as_str(), product.as_str()));
    let mut written = header(&read.link, usb);
    for (_, event) in &read.events {
        written.push_str(&event.line());
    }
    let again = Transcript::parse(&written).expect("what was written is a transcript");
    let events = |transcript: &Transcript| {
        let events = transcript.events.iter();
        events.map(|(_, event)| event.line()).collect::<Vec<_>>()
    };
    assert_eq!(events(&again), events(&read));
}
