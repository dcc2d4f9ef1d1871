//! Devices that are no meters are never written to, however they look.

use std::fs::File;
use std::io::Write;

use glucopipe_emulator::UsbDevice;
use glucopipe_usb_lane::{Plug, Program, User};

use super::verio::Way;
use super::{DUMP, Scenario, assert_clean, assert_whole, plug, scenario};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        scenario(
            "a stick and a HID device beside a meter stay untouched",
            beside,
        ),
        scenario("a stick and a HID device alone stay untouched", alone),
        scenario(
            "a stick that a driver is forced onto stays untouched",
            forced,
        ),
        scenario(
            "a stick with the USB ids of a meter stays untouched",
            namesake,
        ),
        scenario("what is forbidden is noticed", noticed),
    ]
}

/// Nothing was written, and no report received.
fn assert_untouched(plug: Plug) {
    let audit = plug.unplug();
    assert_clean(&audit);
    assert_eq!((audit.reports_received, audit.requests), (0, 0));
}

fn beside() {
    let uri = "contour-next-usb?records=12";
    let stick = Plug::meter("usb-stick?looks=boot");
    let gadget = Plug::device(UsbDevice::bystander());
    let meter = Plug::meter(uri);
    let program = Program::of(User::Root);
    assert_whole(uri, &program.run(DUMP));
    assert_clean(&meter.unplug());
    let uri = "verio?records=12";
    let meter = Plug::meter(uri);
    assert_whole(uri, &program.run(DUMP));
    assert_clean(&meter.unplug());
    assert_untouched(stick);
    assert_untouched(gadget);
}

fn alone() {
    let stick = Plug::meter("usb-stick");
    let gadget = Plug::device(UsbDevice::bystander());
    let program = Program::of(User::Root);
    for arguments in [&["dump"][..], &["dump", "--driver", "verio"]] {
        let finished = program.run(arguments);
        assert_eq!(finished.code, 4, "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("GP0201"), "{}", finished.stderr);
    }
    let hidraw = format!("path:{}", gadget.nodes().hidraw());
    let finished = program.run(&["dump", "--driver", "contour", "--device", &hidraw]);
    assert_eq!(finished.code, 4, "{}", finished.stderr);
    assert_untouched(stick);
    assert_untouched(gadget);
}

/// The other scenarios rely on this: without the program, writes to each kind of device are seen.
fn noticed() {
    for (uri, rule) in [
        ("usb-stick", "wrote LBA 0 of a disk that is no meter"),
        (
            "verio",
            "wrote LBA 0 before INQUIRY and boot sector were read",
        ),
    ] {
        let disk = Plug::meter(uri);
        assert_clean(&disk.audit());
        let mut node = open(disk.nodes().block());
        node.write_all(&[0; 4096]).expect("room for a page");
        // A meter refuses it: the kernel writes whole pages.
        let _ = node.sync_all();
        let seen = disk.unplug().violations;
        assert!(seen.iter().any(|seen| seen == rule), "{uri}: {seen:#?}");
    }
    let gadget = Plug::device(UsbDevice::bystander());
    let mut node = open(gadget.nodes().hidraw());
    // The number of the report, and its body.
    node.write_all(&[0; 65]).expect("the gadget takes it");
    assert_eq!(gadget.unplug().reports_received, 1);
}

fn open(node: &str) -> File {
    let opened = File::options().write(true).open(node);
    opened.unwrap_or_else(|error| panic!("{node}: {error}"))
}

/// Even what looks half like a meter, by each of its nodes.
fn forced() {
    let program = Program::of(User::Root);
    for (looks, way, code) in [
        ("inquiry", Way::Generic, 7),
        ("boot", Way::Block, 7),
        ("boot", Way::BulkOnly, 4),
    ] {
        let stick = Plug::meter(&format!("usb-stick?looks={looks}"));
        let nodes = stick.nodes();
        let device = format!("path:{}", way.node(&nodes));
        let finished = program.run(&["dump", "--driver", "verio", "--device", &device]);
        assert_eq!(finished.code, code, "{looks}: {}", finished.stderr);
        assert_eq!(finished.stdout, "");
        assert_eq!(stick.nodes(), nodes);
        assert_untouched(stick);
    }
}

/// What is taken for a meter by its ids is looked at, and left alone by each way to it.
fn namesake() {
    for (looks, differs) in [
        ("ids", "the vendor of the disk differs"),
        ("ids-inquiry", "the boot sector differs"),
    ] {
        for way in [Way::Generic, Way::BulkOnly] {
            let stick = plug(&format!("usb-stick?looks={looks}"), Some(way));
            let finished = Program::of(User::Person).run(DUMP);
            let said = &finished.stderr;
            assert_eq!((finished.code, finished.stdout.as_str()), (7, ""), "{said}");
            assert!(
                said.contains(differs) && said.contains(way.words()),
                "{said}"
            );
            assert_untouched(stick);
        }
    }
}
