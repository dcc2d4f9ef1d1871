//! Detection: what `devices` lists, meters that may not be opened, and two of them at once.

use glucopipe_emulator::parse;
use glucopipe_usb_lane::{Nodes, Plug, Program, User};
use serde_json::Value;

use super::{DUMP, Scenario, assert_clean, assert_whole, scenario};

const CONTOUR: &str = "contour-next-usb?records=10";
const VERIO: &str = "select-plus?records=10";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        scenario("devices lists meters and nothing else", devices),
        scenario("a hidraw node that may not be opened is named", || {
            denied(CONTOUR, |nodes| nodes.hidraw());
        }),
        scenario("a disk none of whose nodes may be opened is named", || {
            denied(VERIO, |nodes| nodes.sg());
        }),
        scenario("two meters at once are a choice", two),
        scenario(
            "a meter plugged in while the program waits is read",
            waiting,
        ),
    ]
}

fn listed(program: &Program) -> Vec<Value> {
    let document = program.json(&["devices", "--json"]);
    document["devices"].as_array().cloned().unwrap_or_default()
}

fn devices() {
    let program = Program::of(User::Person);
    assert_eq!(listed(&program), [""; 0]);
    let plugs = [CONTOUR, VERIO, "usb-stick"].map(Plug::meter);
    let nodes = plugs.each_ref().map(Plug::nodes);
    nodes[0].give(User::Person, &[nodes[0].hidraw()]);
    nodes[1].give(User::Person, &[]);
    nodes[2].give(User::Person, &[nodes[2].sg()]);
    let listed = listed(&program);
    let of = |key: &str| {
        listed
            .iter()
            .map(|meter| meter[key].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("driver"), ["contour", "verio"]);
    assert_eq!(of("model"), ["Contour Next USB", "OneTouch Select Plus"]);
    assert_eq!(of("usb"), ["1a79:7410", "2766:1000"]);
    assert_eq!(of("serial"), [Value::Null, "SBCDF6M3".into()]);
    assert_eq!(of("node"), [nodes[0].hidraw(), nodes[1].sg()]);
    assert_eq!(of("accessible"), [true, false]);
    let reason = listed[1]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("root:root 0600"), "{reason}");
    for plug in plugs {
        let audit = plug.unplug();
        assert_clean(&audit);
        assert_eq!((audit.reports_received, audit.requests), (0, 0));
    }
}

fn denied(uri: &str, node: fn(&Nodes) -> &str) {
    let plug = Plug::meter(uri);
    let nodes = plug.nodes();
    nodes.give(User::Person, &[]);
    let finished = Program::of(User::Person).run(&["dump"]);
    let said = &finished.stderr;
    assert_eq!(finished.code, 5, "{said}");
    assert_eq!(finished.stdout, "");
    let usb = parse(uri).map(|scenario| scenario.usb().to_string());
    for word in [
        "error[GP0202]",
        node(&nodes),
        &usb.unwrap_or_default(),
        "you are uid 1000",
        "glucopipe doctor --udev",
    ] {
        assert!(said.contains(word), "`{word}`: {said}");
    }
    let audit = plug.unplug();
    assert_clean(&audit);
    assert_eq!((audit.reports_received, audit.requests), (0, 0));
}

fn two() {
    let uris = [
        "contour-next-usb?records=6",
        "contour-usb?records=7&serial=7654321",
        "verio?records=8&serial=TWIN2",
    ];
    let plugs = uris.map(Plug::meter);
    let nodes = plugs.each_ref().map(Plug::nodes);
    nodes[0].give(User::Person, &[nodes[0].hidraw()]);
    nodes[1].give(User::Person, &[nodes[1].hidraw()]);
    nodes[2].give(User::Person, &[nodes[2].sg()]);
    let program = Program::of(User::Person);
    for command in ["dump", "info", "clock"] {
        let finished = program.run(&[command]);
        assert_eq!(finished.code, 2, "{command}: {}", finished.stderr);
        for node in [nodes[0].hidraw(), nodes[1].hidraw(), nodes[2].sg()] {
            assert!(
                finished.stderr.contains(node),
                "{node}: {}",
                finished.stderr
            );
        }
    }
    for (chosen, uri) in [
        ("serial:7390-7654321", uris[1]),
        ("serial:TWIN2", uris[2]),
        ("usb:1a79:7410", uris[0]),
    ] {
        let arguments = [DUMP, &["--device", chosen]].concat();
        assert_whole(uri, &program.run(&arguments));
    }
    for plug in plugs {
        assert_clean(&plug.unplug());
    }
}

fn waiting() {
    let program = Program::of(User::Root);
    program.write(
        "pipeline.toml",
        "[sources.meter]\ndriver = \"auto\"\n\
         [sinks.sheet]\nexporter = \"jsonl\"\ninputs = [\"meter\"]\npath = \"sheet.jsonl\"\n",
    );
    let mut running = program.start(&["run", "--wait", "60s"]);
    running.wait_for("waiting for a meter");
    let plug = Plug::meter(VERIO);
    let finished = running.finish();
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let sheet = std::fs::read_to_string(program.home().join("sheet.jsonl"));
    let sheet = glucopipe_usb_lane::truth::dumped(&sheet.unwrap_or_default());
    assert_eq!(sheet, glucopipe_usb_lane::truth::expected(VERIO));
    assert_clean(&plug.unplug());
}
