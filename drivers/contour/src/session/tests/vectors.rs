//! Captured dialogues, when the shared vectors are at hand.

use glucopipe_sdk::serde_json::{self, Value};

use super::*;
use crate::protocol::report;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/vectors/contour.json"
);

fn steps(id: &str) -> Option<Vec<(bool, Vec<u8>)>> {
    let Ok(text) = std::fs::read_to_string(FILE) else {
        println!("skipped: no vectors at {FILE}");
        return None;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    let vector = vectors.iter().find(|vector| vector["id"] == id).unwrap();
    let steps = vector["steps"].as_array().unwrap().iter().map(|step| {
        let hex = step["hex"].as_str().unwrap();
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let from_meter = step["dir"] == "meter->host";
        let payload = match step["layer"].as_str().unwrap() {
            "hid_report" if from_meter => report::decode(&bytes).unwrap().to_vec(),
            "hid_report" => bytes[4..4 + usize::from(bytes[3])].to_vec(),
            _ => bytes,
        };
        (from_meter, payload)
    });
    Some(steps.collect())
}

#[test]
fn captured_session_of_an_empty_contour_usb_is_answered_as_captured() {
    let Some(steps) = steps("ct-017") else { return };
    let mut talk = Talk::woken(Goal::Read);
    assert_eq!(talk.silence(), (2_000, vec![steps[0].1[0]]));
    let mut answer = Vec::new();
    for (from_meter, payload) in &steps[1..] {
        if *from_meter {
            assert_eq!(answer, NOTHING);
            answer = talk.says(payload);
        } else {
            assert_eq!(&mem::take(&mut answer), payload);
        }
    }
    assert!(talk.is_over() && talk.reasons().is_empty());
    assert_eq!(talk.machine.tally().declared, Some(0));
    assert_eq!(talk.machine.header().unwrap().processing_id, "P");
}

#[test]
fn captured_way_into_command_mode_of_a_next_link_is_gone_as_captured() {
    let Some(steps) = steps("ct-022") else { return };
    let mut talk = Talk::woken(Goal::Command);
    let mut answer = Vec::new();
    // Behind these steps the vendor's software opens the radio to the pump.
    for (from_meter, payload) in &steps[1..10] {
        if *from_meter {
            assert_eq!(answer, NOTHING);
            answer = talk.says(payload);
            talk.now += 20;
        } else {
            assert_eq!(&mem::take(&mut answer), payload);
        }
    }
    assert!(talk.machine.is_in_command_mode());
}

#[test]
fn captured_clock_of_a_next_usb_is_asked_for_as_captured() {
    use crate::protocol::command::{Command, Ending, moment, reply};
    let Some(steps) = steps("ct-029") else { return };
    let asked = [
        Command::Read,
        Command::Date(Ending::Cr),
        Command::Read,
        Command::Time(Ending::Cr),
    ];
    let mut talk = Talk::woken(Goal::Command);
    talk.says(&opening(0));
    talk.says(&[EOT]);
    talk.says(&[ACK]);
    let mut texts = Vec::new();
    for (command, pair) in asked.into_iter().zip(steps.chunks(2)) {
        let [(false, said), (true, answered)] = pair else {
            panic!("a question and an answer: {pair:?}")
        };
        talk.machine.say(command, talk.now);
        assert_eq!(&talk.sent(), said);
        assert_eq!(talk.says(answered), NOTHING);
        if let Some(Reply::Text(text)) = talk.machine.take_reply() {
            texts.push(text);
        }
    }
    let (date, time) = (reply(&texts[0]).unwrap(), reply(&texts[1]).unwrap());
    assert_eq!(moment(date, time).unwrap().to_string(), "2019-06-26T11:03");
}

#[test]
fn captured_opening_of_a_next_link_is_refused_as_captured() {
    let Some(steps) = steps("ct-022") else { return };
    let mut talk = Talk::woken(Goal::Header);
    assert_eq!(steps[0].1, [X]);
    let mut answer = Vec::new();
    for (from_meter, payload) in &steps[1..8] {
        if *from_meter {
            assert_eq!(answer, NOTHING);
            answer = talk.says(payload);
            talk.now += 20;
        } else {
            assert_eq!(&mem::take(&mut answer), payload);
        }
    }
    assert!(talk.is_over());
    let header = talk.machine.header().unwrap();
    assert_eq!(header.product_code(), Some("6200"));
}
