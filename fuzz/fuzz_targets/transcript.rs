//! Any text somebody calls a transcript; what is read can be written and read again.

#![no_main]

use glucopipe_runtime::transport::transcript::{Transcript, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(read) = Transcript::parse(text) else { return };
    let usb = read.usb.as_ref().map(|(vendor, product)| (vendor.as_str(), product.as_str()));
    let mut written = header(&read.link, usb);
    for (_, event) in &read.events {
        written.push_str(&event.line());
    }
    let again = Transcript::parse(&written).expect("what was written is a transcript");
    assert!(again.events.iter().map(|(_, event)| event).eq(read.events.iter().map(|(_, event)| event)));
});
