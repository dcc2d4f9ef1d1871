//! Programs that talk to one meter at the same time: one does, the others wait or say why not.

use glucopipe_emulator::Audit;
use glucopipe_tests::Finished;
use glucopipe_usb_lane::{Nodes, Plug, Program, User};

use super::{DUMP, Scenario, assert_clean, assert_whole, scenario};

/// A meter that takes longer than other programs wait.
const SLOW: &str = "verio-flex?records=500&fault=slow:300";
/// A meter, and the selectors by which two programs reach it.
type Shared = (&'static str, fn(&Nodes) -> [String; 2]);

pub(super) fn all() -> Vec<Scenario> {
    let by_both = |nodes: &Nodes| [nodes.sg(), nodes.block()].map(path);
    // Taken from the kernel, it has no other node.
    let by_usb = |nodes: &Nodes| ["usb:2766:0004".to_owned(), path(&nodes.usb)];
    let by_hidraw = |nodes: &Nodes| [nodes.hidraw(), nodes.hidraw()].map(path);
    let shared: [(&str, Shared); 3] = [
        ("over sg and sd", ("verio-flex?records=40", by_both)),
        ("over sg and usbfs", ("verio-flex?records=40", by_usb)),
        ("over hidraw", ("contour-next-usb?records=40", by_hidraw)),
    ];
    let shared = shared.map(|(over, (uri, devices))| {
        let name = format!("two programs at once read whole or not at all, {over}");
        scenario(name, move || at_once(uri, devices))
    });
    let busy = scenario("a program that waits in vain says who has the meter", busy);
    shared.into_iter().chain([busy]).collect()
}

fn assert_busy(finished: &Finished) {
    let said = &finished.stderr;
    assert_eq!((finished.code, finished.stdout.as_str()), (5, ""), "{said}");
    for words in ["error[GP0210]", "another program talks to this meter"] {
        assert!(said.contains(words), "`{words}`: {said}");
    }
}

fn path(node: &str) -> String {
    format!("path:{node}")
}

fn at_once(uri: &str, devices: fn(&Nodes) -> [String; 2]) {
    let plug = Plug::meter(uri);
    let devices = devices(&plug.nodes());
    // The nodes that the kernel makes anew belong to the system.
    let program = Program::of(User::Root);
    let both = devices.each_ref().map(|device| {
        let arguments = [DUMP, &["--device", device]].concat();
        program.start(&arguments)
    });
    let whole = both.map(|running| {
        let finished = running.finish();
        match finished.code {
            0 => assert_whole(uri, &finished),
            _ => assert_busy(&finished),
        }
        finished.code == 0
    });
    assert!(whole.contains(&true));
    assert_clean(&plug.unplug());
}

fn busy() {
    let plug = Plug::meter(SLOW);
    let nodes = plug.nodes();
    nodes.give(User::Person, &[nodes.sg()]);
    let program = Program::of(User::Person);
    let first = program.start(DUMP);
    plug.wait_until("records", |audit: &Audit| audit.requests > 2);
    // Whoever opens the node of the block device lets the kernel look at the disk anew, and a meter that is
    // looked at anew wants to be identified anew.
    let device = path(nodes.sg());
    // It is the meter's, not the user's: another user is kept away as well.
    let others = [User::Person, User::Root].map(Program::of);
    let arguments = ["dump", "--driver", "verio", "--device", &device];
    for other in others.each_ref().map(|other| other.start(&arguments)) {
        assert_busy(&other.finish());
    }
    first.interrupt();
    assert_eq!(first.finish().code, 130);
    assert_clean(&plug.unplug());
}
