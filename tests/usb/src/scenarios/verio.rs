//! The Verio family: through the kernel's disk, and with the disk taken from the kernel.

use glucopipe_emulator::catalog;
use glucopipe_usb_lane::{Nodes, Program, User};

use super::{DUMP, Scenario, assert_clean, assert_whole, plug, scenario};

/// Vendor id of the family.
const LIFESCAN: u16 = 0x2766;
/// Enough for every mark and limit that the emulator knows.
const RECORDS: u32 = 32;

/// The way to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// SG_IO on `/dev/sg0`.
    Generic,
    /// SG_IO on `/dev/sda`.
    Block,
    /// Bulk-Only over usbfs, with the disk taken from the kernel.
    BulkOnly,
}

impl Way {
    pub(super) fn node(self, nodes: &Nodes) -> &str {
        match self {
            Self::Generic => nodes.sg(),
            Self::Block => nodes.block(),
            Self::BulkOnly => &nodes.usb,
        }
    }

    /// What the program says of it with `-v`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Generic | Self::Block => "SG_IO on",
            Self::BulkOnly => "USB Bulk-Only on",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Generic => "SG_IO on sg",
            Self::Block => "SG_IO on sd",
            Self::BulkOnly => "Bulk-Only on usbfs",
        }
    }
}

pub(super) fn all() -> Vec<Scenario> {
    let models = catalog()
        .iter()
        .filter(|model| model.usb.vendor == LIFESCAN);
    let dumps = models.flat_map(|model| {
        // The two nodes of the kernel's disk differ in who may open them only.
        let all: &[Way] = match model.key {
            "verio" => &[Way::Generic, Way::Block, Way::BulkOnly],
            _ => &[Way::Generic, Way::BulkOnly],
        };
        all.iter().map(move |&way| {
            let name = format!(
                "{}: the dump over {} is the meter's memory",
                model.key,
                way.name()
            );
            scenario(name, move || dump(model.key, RECORDS, way))
        })
    });
    let whole = scenario("verio-flex: 500 results in one run", || {
        dump("verio-flex", 500, Way::BulkOnly);
    });
    let info = scenario("verio-reflect: info tells what the meter tells", info);
    dumps.chain([whole, info]).collect()
}

fn dump(model: &str, records: u32, way: Way) {
    let uri = format!("{model}?records={records}");
    let plug = plug(&uri, Some(way));
    let before = plug.nodes();
    let finished = Program::of(User::Person).run(DUMP);
    assert_whole(&uri, &finished);
    let said = format!("{} {}", way.words(), way.node(&before));
    assert!(
        finished.stderr.contains(&said),
        "`{said}`: {}",
        finished.stderr
    );
    // The kernel has its disk back.
    assert_eq!(plug.nodes().drivers, before.drivers);
    assert_clean(&plug.unplug());
}

fn info() {
    let uri = "verio-reflect?records=5&unit=mmol/L&clock=2026-06-01T08:00:00&serial=RX";
    let plug = plug(uri, Some(Way::Generic));
    let info = Program::of(User::Person).json(&["info", "--json"]);
    assert_eq!(info["model"], "Verio Reflect");
    assert_eq!(info["serial"], "RX");
    assert_eq!(info["record_count"], 5);
    assert_eq!(info["unit"], "mmol/L");
    let clock = info["clock"].as_str().unwrap_or_default();
    assert!(clock.starts_with("2026-06-01T08:00"), "{clock}");
    assert_clean(&plug.unplug());
}
