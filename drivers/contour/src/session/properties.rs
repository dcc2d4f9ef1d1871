//! Random meters: no panic, an end within bounds, and never a session left open.

use proptest::prelude::*;

use super::tests::{frame, last};
use super::*;
use crate::protocol::command::Ending;
use crate::protocol::frame::Frame;
use crate::protocol::samples;

#[derive(Clone, Debug)]
enum Event {
    Says(Vec<u8>),
    Silence,
    Later(u64),
    BadReport,
    Cancel,
    Lost,
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let result = "R|1|^^^Glucose|93|mg/dL^P||||202605301805";
    let texts = prop::sample::select(vec![samples::HEADER_7390, "P|1", result, "O|1", "R|?", "M"]);
    prop_oneof![
        4 => (0_u8..8, texts).prop_map(|(number, text)| frame(number, text)),
        1 => (0_u8..8).prop_map(|number| last(number, "L|1||N")),
        3 => prop::sample::select(vec![4_u8, 5, 6, 0x15]).prop_map(|byte| vec![byte]),
        // Without STX, so that the watcher sees the tokens that the machine sees.
        1 => prop::collection::vec(3_u8.., 0..60),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => prop::collection::vec(message(), 1..3).prop_map(|parts| Event::Says(parts.concat())),
        4 => Just(Event::Silence),
        3 => (1_u64..6_000).prop_map(Event::Later),
        1 => Just(Event::BadReport),
        1 => Just(Event::Cancel),
    ]
}

/// What the caller does in command mode.
#[derive(Clone, Debug)]
enum Order {
    Say(Command),
    Rest(u64),
    ComeAgain,
}

fn order() -> impl Strategy<Value = Order> {
    let commands = [
        Command::Read,
        Command::Write,
        Command::Date(Ending::Cr),
        Command::Time(Ending::Bare),
    ];
    prop_oneof![
        6 => prop::sample::select(commands.to_vec()).prop_map(Order::Say),
        2 => (1_u64..20_000).prop_map(Order::Rest),
        1 => Just(Order::ComeAgain),
    ]
}

/// What a meter says on the way into command mode and in it.
fn replies() -> impl Strategy<Value = Vec<Event>> {
    let reply = prop_oneof![
        6 => Just(vec![6_u8]),
        2 => Just(b"D|260530|\r\n\x06".to_vec()),
        1 => prop::sample::select(vec![4_u8, 5, 0x15]).prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(reply.prop_map(Event::Says), 0..12).prop_map(|rest| {
        let header = frame(1, samples::HEADER_7390);
        let offer = [&[4][..], &header, &[5]].concat();
        let entry = [
            Event::Silence,
            Event::Says(offer),
            Event::Says(vec![4]),
            Event::Says(vec![6]),
        ];
        entry.into_iter().chain(rest).collect()
    })
}

/// Numbered frames as a well-behaved meter sends them, so that the data phase is reached.
fn opening() -> impl Strategy<Value = Vec<Event>> {
    let says = |bytes: Vec<u8>| Event::Says(bytes);
    let header = frame(1, samples::HEADER_7390);
    let offer = [&[4][..], &header, &[5]].concat();
    let whole = [
        Event::Silence,
        says(offer),
        says(header),
        says(frame(2, "P|1")),
    ];
    (0..=whole.len()).prop_map(move |len| whole[..len].to_vec())
}

/// Follows the wire from outside and says whether the meter may still wait for an answer.
#[derive(Default)]
struct Watcher {
    tokeniser: Tokeniser,
    open: bool,
}

impl Watcher {
    fn hears(&mut self, bytes: &[u8]) {
        self.tokeniser.push(bytes);
        for token in self.tokeniser.by_ref() {
            match token {
                Token::Control(Control::Eot) => self.open = false,
                Token::Control(Control::Enq) => self.open = true,
                Token::Frame(raw) => {
                    let frame = Frame::parse(&raw);
                    self.open = !frame.is_ok_and(|frame| frame.body.starts_with(b"L"));
                }
                _ => {}
            }
        }
    }
}

fn run(goal: Goal, events: Vec<Event>, orders: Vec<Order>) -> Result<(), TestCaseError> {
    let mut machine = Machine::new(goal, 0);
    let mut watcher = Watcher::default();
    let (mut now, mut lost) = (0, false);
    let mut events = events.into_iter();
    let mut orders = orders.into_iter();
    for _ in 0..20_000 {
        let step = machine.poll(now);
        watcher.open |= machine.is_in_command_mode();
        match step {
            Step::Done => {
                prop_assert!(lost || !watcher.open, "left a session open");
                prop_assert!(machine.is_over() && machine.has_started());
                let _ = machine.tally().assess();
                return Ok(());
            }
            Step::Send(message) => {
                watcher.open &= message != Message::Byte(Control::Eot.byte());
            }
            Step::Command => match orders.next() {
                Some(Order::Say(command)) => machine.say(command, now),
                Some(Order::Rest(ms)) => machine.rest(now + ms, now),
                Some(Order::ComeAgain) => machine.come_again(now),
                None => machine.cancel(now),
            },
            Step::Wait { until } => {
                prop_assert!(until > now);
                match events.next() {
                    Some(Event::Says(bytes)) => {
                        let quiet = matches!(machine.phase, Phase::Quiet { .. });
                        for payload in bytes.chunks(60) {
                            machine.receive(payload, now);
                        }
                        if !quiet {
                            watcher.hears(&bytes);
                        }
                    }
                    Some(Event::Later(ms)) => now += ms,
                    Some(Event::BadReport) => {
                        machine.bad_report(now);
                        watcher.tokeniser.clear();
                    }
                    Some(Event::Cancel) => machine.cancel(now),
                    Some(Event::Lost) => {
                        machine.lost();
                        lost = true;
                    }
                    Some(Event::Silence) | None => {
                        machine.pass(until);
                        now = until;
                        watcher.tokeniser.clear();
                    }
                }
            }
        }
    }
    Err(TestCaseError::fail("no end"))
}

fn goal() -> impl Strategy<Value = Goal> {
    prop::sample::select(vec![Goal::Read, Goal::Header, Goal::Command])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    #[test]
    fn every_conversation_ends_and_leaves_no_session(
        goal in goal(),
        mut events in prop_oneof![2 => opening().boxed(), 1 => replies().boxed()],
        more in prop::collection::vec(event(), 0..60),
        orders in prop::collection::vec(order(), 0..20),
        lost in prop::option::weighted(0.1, Just(Event::Lost)),
    ) {
        events.extend(more);
        events.extend(lost);
        run(goal, events, orders)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn an_endless_talker_is_left_too(
        goal in goal(),
        mut events in opening(),
        orders in prop::collection::vec(order(), 0..20),
        cycle in prop::collection::vec(message(), 1..4),
        step in 1_u64..2_000,
    ) {
        let round = cycle.into_iter().flat_map(|part| [Event::Says(part), Event::Later(step)]);
        let rounds: Vec<Event> = round.collect();
        events.extend(rounds.iter().cycle().take(6_000).cloned());
        run(goal, events, orders)?;
    }
}

/// What a meter says in a download of these results, one message for each answer of ours.
fn download(results: &[String]) -> Vec<Vec<u8>> {
    let count = format!("|{}|||||P|", results.len());
    let header = samples::HEADER_7390.replace("|3|||||P|", &count);
    let offer = [&[4][..], &frame(1, &header), &[5]].concat();
    let texts = [&[header, "P|1".to_owned()][..], results].concat();
    let number = |at: usize| u8::try_from((at + 1) % 8).unwrap();
    let frames = texts.iter().enumerate();
    let frames = frames.map(|(at, text)| frame(number(at), text));
    let end = [last(number(texts.len()), "L|1||N"), vec![4]];
    [offer].into_iter().chain(frames).chain(end).collect()
}

/// Reads a download whose messages come in pieces; what was collected, and how it ended.
fn read(messages: &[Vec<u8>], mut piece: impl FnMut() -> usize) -> (Vec<Vec<u8>>, String) {
    let mut machine = Machine::new(Goal::Read, 0);
    machine.pass(QUIET_MS);
    let mut now = QUIET_MS;
    let mut answers = 0;
    let mut drain = |machine: &mut Machine, now: u64| {
        while let Step::Send(_) = machine.poll(now) {
            answers += 1;
        }
    };
    drain(&mut machine, now);
    for message in messages {
        let mut rest = message.as_slice();
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(piece().clamp(1, rest.len().min(60)));
            machine.receive(head, now);
            drain(&mut machine, now);
            (rest, now) = (tail, now + 1);
        }
    }
    let ended = format!("{answers} {:?} {:?}", machine.tally(), machine.traffic());
    let kept = machine.take_collection().kept;
    (kept.into_iter().map(|kept| kept.raw).collect(), ended)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_split_into_reports_gives_the_same_readings(
        values in prop::collection::vec((20_u16..600, "[0-5][0-9]"), 0..20),
        pieces in prop::collection::vec(1_usize..=60, 1..40),
    ) {
        let results: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(at, (value, minute))| {
                format!("R|{}|^^^Glucose|{value}|mg/dL^P||||2026053018{minute}", at + 1)
            })
            .collect();
        let messages = download(&results);
        let whole = read(&messages, || 60);
        prop_assert_eq!(whole.0.len(), results.len());
        let mut pieces = pieces.into_iter().cycle();
        let split = read(&messages, || pieces.next().unwrap_or(1));
        prop_assert_eq!(&split, &whole);
        prop_assert_eq!(read(&messages, || 1), whole);
    }
}
