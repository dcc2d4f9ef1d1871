//! Every way a command can go, over a pipe that does as the test says.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::*;

/// TEST UNIT READY.
const NO_DATA: [u8; 6] = [0; 6];
/// READ(10) of one block.
const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0];
/// WRITE(10) of one block.
const WRITE: [u8; 10] = [0x2a, 0, 0, 0, 0, 3, 0, 0, 1, 0];
const BLOCK: usize = 512;
/// Time of a command in these tests.
const TIMEOUT_MS: u32 = 250;

/// What the pipe does when it is asked to receive.
enum In {
    /// So many bytes, then nothing or a fault.
    Data(usize, Option<Fault>),
    /// The status of the command, with the tag moved by so much.
    Status(Outcome, u32, u32),
    /// These bytes.
    Raw(Vec<u8>),
}

/// What the pipe was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Command(Vec<u8>),
    Data(usize),
    Cleared(Direction),
    Reset,
}

#[derive(Default)]
struct Script {
    input: VecDeque<In>,
    /// Faults of what is sent, in order; what is behind them is taken.
    output: VecDeque<Option<Moved>>,
    /// Faults of resets and clears, in order.
    control: VecDeque<Result<(), Fault>>,
    seen: Vec<Seen>,
    tag: u32,
}

#[derive(Clone, Default)]
struct Fake(Rc<RefCell<Script>>);

impl Fake {
    fn control(&self, seen: Seen) -> Result<(), Fault> {
        let mut script = self.0.borrow_mut();
        script.seen.push(seen);
        script.control.pop_front().unwrap_or(Ok(()))
    }

    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.borrow_mut().seen)
    }
}

impl Pipe for Fake {
    fn send(&mut self, bytes: &[u8], _wait_ms: u32) -> Moved {
        let mut script = self.0.borrow_mut();
        if let [b'U', b'S', b'B', b'C', a, b, c, d, ..] = *bytes {
            script.tag = u32::from_le_bytes([a, b, c, d]);
            let len = usize::from(bytes[14]);
            script
                .seen
                .push(Seen::Command(bytes[15..15 + len].to_vec()));
        } else {
            script.seen.push(Seen::Data(bytes.len()));
        }
        let fault = script.output.pop_front().flatten();
        fault.unwrap_or(Moved {
            len: bytes.len(),
            fault: None,
        })
    }

    fn receive(&mut self, buffer: &mut [u8], _wait_ms: u32) -> Moved {
        let mut script = self.0.borrow_mut();
        let tag = script.tag;
        let (bytes, fault) = match script.input.pop_front() {
            None => (Vec::new(), Some(Fault::Timeout)),
            Some(In::Data(len, fault)) => (vec![0x5a; len], fault),
            Some(In::Raw(bytes)) => (bytes, None),
            Some(In::Status(outcome, residue, moved)) => {
                let tag = tag.wrapping_add(moved);
                let csw = Csw {
                    tag,
                    residue,
                    outcome,
                };
                (csw.encode().to_vec(), None)
            }
        };
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Moved {
            len: bytes.len(),
            fault,
        }
    }

    fn clear_halt(&mut self, direction: Direction) -> Result<(), Fault> {
        self.control(Seen::Cleared(direction))
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.control(Seen::Reset)
    }
}

fn fake(input: impl IntoIterator<Item = In>) -> (Fake, BulkOnly<Fake>) {
    let fake = Fake::default();
    fake.0.borrow_mut().input.extend(input);
    (fake.clone(), BulkOnly::new(fake))
}

fn run(disk: &mut BulkOnly<Fake>, cdb: &[u8], data: ScsiData<'_>) -> Result<ScsiStatus, LinkError> {
    disk.command(&|| false, TIMEOUT_MS, cdb, data)
}

fn read(disk: &mut BulkOnly<Fake>) -> Result<ScsiStatus, LinkError> {
    run(disk, &READ, ScsiData::From(&mut [0; BLOCK]))
}

fn good(residue: u32) -> ScsiStatus {
    let (status, sense) = (GOOD, Vec::new());
    ScsiStatus {
        status,
        residue,
        sense,
    }
}

const PASSED: In = In::Status(Outcome::Passed, 0, 0);
const STALL: In = In::Data(0, Some(Fault::Stall));
const LATE: In = In::Data(0, Some(Fault::Timeout));

/// Reset recovery as the standard orders it.
fn recovery() -> Vec<Seen> {
    vec![
        Seen::Reset,
        Seen::Cleared(Direction::In),
        Seen::Cleared(Direction::Out),
    ]
}

fn command(cdb: &[u8]) -> Seen {
    Seen::Command(cdb.to_vec())
}

#[test]
fn commands_go_in_three_phases() {
    let (fake, mut disk) = fake([In::Data(BLOCK, None), PASSED, PASSED, PASSED]);
    let mut block = [0; BLOCK];
    assert_eq!(
        run(&mut disk, &READ, ScsiData::From(&mut block)),
        Ok(good(0))
    );
    assert_eq!(block, [0x5a; BLOCK]);
    assert_eq!(run(&mut disk, &WRITE, ScsiData::To(&block)), Ok(good(0)));
    assert_eq!(run(&mut disk, &NO_DATA, ScsiData::None), Ok(good(0)));
    drop(disk);
    let expected = [
        command(&READ),
        command(&WRITE),
        Seen::Data(BLOCK),
        command(&NO_DATA),
    ];
    assert_eq!(fake.seen(), expected);
}

#[test]
fn data_in_parts_are_put_together() {
    let (_, mut disk) = fake([
        LATE,
        In::Data(64, Some(Fault::Timeout)),
        In::Data(BLOCK - 64, None),
        LATE,
        PASSED,
    ]);
    // Three waits are more than the time of a command, unless something comes.
    let status = disk.command(
        &|| false,
        3 * SLICE_MS + 1,
        &READ,
        ScsiData::From(&mut [0; BLOCK]),
    );
    assert_eq!(status, Ok(good(0)));
}

#[test]
fn a_short_transfer_is_a_residue_whatever_the_device_says() {
    for said in [0, 476] {
        let status = In::Status(Outcome::Passed, said, 0);
        let (_, mut disk) = fake([In::Data(36, None), status]);
        assert_eq!(read(&mut disk), Ok(good(476)));
    }
    let (_, mut disk) = fake([In::Data(BLOCK, None), In::Status(Outcome::Passed, 12, 0)]);
    assert_eq!(read(&mut disk), Ok(good(12)));
}

#[test]
fn a_stall_in_the_data_is_cleared_and_the_status_read() {
    let (input, output) = (Direction::In, Direction::Out);
    let stall = In::Data(64, Some(Fault::Stall));
    let (fake, mut disk) = fake([stall, In::Status(Outcome::Passed, 448, 0)]);
    assert_eq!(read(&mut disk), Ok(good(448)));
    assert_eq!(fake.seen(), [command(&READ), Seen::Cleared(input)]);

    fake.0
        .borrow_mut()
        .input
        .push_back(In::Status(Outcome::Passed, 512, 0));
    let stalled = Moved {
        len: 0,
        fault: Some(Fault::Stall),
    };
    fake.0.borrow_mut().output.extend([None, Some(stalled)]);
    let status = run(&mut disk, &WRITE, ScsiData::To(&[0; BLOCK]));
    assert_eq!(status, Ok(good(512)));
    let expected = [command(&WRITE), Seen::Data(BLOCK), Seen::Cleared(output)];
    assert_eq!(fake.seen(), expected);
}

#[test]
fn a_stalled_or_empty_status_is_read_once_more() {
    let (fake, mut disk) = fake([In::Data(BLOCK, None), STALL, PASSED]);
    assert_eq!(read(&mut disk), Ok(good(0)));
    assert_eq!(fake.seen(), [command(&READ), Seen::Cleared(Direction::In)]);
    let more = [In::Data(BLOCK, None), In::Data(0, None), PASSED];
    fake.0.borrow_mut().input.extend(more);
    assert_eq!(read(&mut disk), Ok(good(0)));
    assert_eq!(fake.seen(), [command(&READ)]);
}

#[test]
fn what_is_out_of_step_is_reset_and_an_error() {
    let status = |outcome, residue, moved| In::Status(outcome, residue, moved);
    let cases: [(&str, Vec<In>); 8] = [
        ("another command", vec![status(Outcome::Passed, 0, 1)]),
        (
            "another command",
            vec![status(Outcome::Passed, 0, u32::MAX)],
        ),
        ("misses 513 of 512", vec![status(Outcome::Passed, 513, 0)]),
        ("phase error", vec![status(Outcome::PhaseError, 0, 0)]),
        (
            "12 bytes",
            vec![In::Raw(b"USBS\x01\0\0\0\0\0\0\0".to_vec())],
        ),
        (
            "does not begin",
            vec![In::Raw(b"USBC\x01\0\0\0\0\0\0\0\0".to_vec())],
        ),
        (
            "0x09",
            vec![In::Raw(b"USBS\x01\0\0\0\0\0\0\0\x09".to_vec())],
        ),
        ("0 bytes", vec![In::Data(0, None), In::Data(0, None)]),
    ];
    for (words, status) in cases {
        let (fake, mut disk) = fake([In::Data(BLOCK, None)].into_iter().chain(status));
        let Err(LinkError::Io(what)) = read(&mut disk) else {
            panic!("{words}: no error");
        };
        assert!(what.contains(words), "{what}");
        assert_eq!(fake.seen(), [vec![command(&READ)], recovery()].concat());
        // Afterwards it is as good as new.
        fake.0
            .borrow_mut()
            .input
            .extend([In::Data(BLOCK, None), PASSED]);
        assert_eq!(read(&mut disk), Ok(good(0)));
        drop(disk);
        assert_eq!(fake.seen(), [command(&READ)]);
    }
}

#[test]
fn a_status_that_stalls_twice_is_reset() {
    let (fake, mut disk) = fake([In::Data(BLOCK, None), STALL, STALL]);
    assert!(matches!(read(&mut disk), Err(LinkError::Io(_))));
    let cleared = vec![command(&READ), Seen::Cleared(Direction::In)];
    assert_eq!(fake.seen(), [cleared, recovery()].concat());
}

#[test]
fn a_refused_or_ignored_command_is_reset() {
    let moved = |fault| Some(Moved { len: 0, fault });
    for fault in [Some(Fault::Stall), Some(Fault::Other("x".into())), None] {
        let (fake, mut disk) = fake([]);
        fake.0.borrow_mut().output.push_back(moved(fault));
        assert!(matches!(read(&mut disk), Err(LinkError::Io(_))));
        assert_eq!(fake.seen(), [vec![command(&READ)], recovery()].concat());
    }
}

#[test]
fn a_failed_command_brings_its_sense_data() {
    let failed = In::Status(Outcome::Failed, 512, 0);
    let (fake, mut disk) = fake([STALL, failed, In::Data(SENSE_LEN, None), PASSED]);
    let status = ScsiStatus {
        status: CHECK_CONDITION,
        residue: 512,
        sense: vec![0x5a; SENSE_LEN],
    };
    assert_eq!(read(&mut disk), Ok(status));
    let expected = [
        command(&READ),
        Seen::Cleared(Direction::In),
        command(&REQUEST_SENSE),
    ];
    assert_eq!(fake.seen(), expected);
}

#[test]
fn sense_data_that_do_not_come_are_left_out() {
    let failed = || In::Status(Outcome::Failed, 0, 0);
    let (fake, mut disk) = fake([
        failed(),
        In::Data(14, None),
        In::Status(Outcome::Passed, 4, 0),
    ]);
    let status = run(&mut disk, &NO_DATA, ScsiData::None).unwrap();
    assert_eq!((status.status, status.sense.len()), (CHECK_CONDITION, 14));

    fake.0
        .borrow_mut()
        .input
        .extend([failed(), STALL, failed()]);
    let status = run(&mut disk, &NO_DATA, ScsiData::None).unwrap();
    assert_eq!((status.status, status.sense.len()), (CHECK_CONDITION, 0));

    // Asked for by the driver itself, it is asked for once.
    fake.seen();
    fake.0.borrow_mut().input.extend([STALL, failed()]);
    let mut sense = [0; SENSE_LEN];
    let status = run(&mut disk, &REQUEST_SENSE, ScsiData::From(&mut sense)).unwrap();
    assert_eq!((status.status, status.sense.len()), (CHECK_CONDITION, 0));
    let expected = [command(&REQUEST_SENSE), Seen::Cleared(Direction::In)];
    assert_eq!(fake.seen(), expected);
}

#[test]
fn a_silent_device_is_given_up_and_reset_before_the_next_command() {
    let (fake, mut disk) = fake([LATE, LATE, LATE]);
    assert_eq!(read(&mut disk), Err(LinkError::Timeout));
    assert_eq!(fake.seen(), [command(&READ)]);
    fake.0
        .borrow_mut()
        .input
        .extend([In::Data(BLOCK, None), PASSED]);
    assert_eq!(read(&mut disk), Ok(good(0)));
    assert_eq!(fake.seen(), [recovery(), vec![command(&READ)]].concat());
    assert_eq!(fake.0.borrow().input.len(), 0);
}

#[test]
fn a_device_left_in_the_middle_is_reset_at_the_end() {
    let (fake, mut disk) = fake([]);
    assert_eq!(read(&mut disk), Err(LinkError::Timeout));
    drop(disk);
    assert_eq!(fake.seen(), [vec![command(&READ)], recovery()].concat());
}

#[test]
fn a_stop_is_seen_between_any_two_transfers() {
    for transfers in 0..3 {
        let (fake, mut disk) = fake([In::Data(BLOCK, None), PASSED]);
        let left = std::cell::Cell::new(transfers);
        let stop = || left.replace(left.get() - 1) == 0;
        let stopped = disk.command(&stop, TIMEOUT_MS, &READ, ScsiData::From(&mut [0; BLOCK]));
        assert_eq!(stopped, Err(LinkError::Cancelled), "{transfers}");
        fake.seen();
        drop(disk);
        assert_eq!(fake.seen(), recovery());
    }
}

#[test]
fn an_unplugged_device_is_lost_wherever_it_happens() {
    let gone = || In::Data(0, Some(Fault::Gone));
    let cases = [
        vec![gone()],
        vec![In::Data(64, Some(Fault::Gone))],
        vec![In::Data(BLOCK, None), gone()],
        vec![STALL, gone()],
        vec![In::Status(Outcome::Failed, 0, 0), gone()],
    ];
    for input in cases {
        let (fake, mut disk) = fake(input);
        let cdb = [0x12, 0, 0, 0, 36, 0];
        let lost = run(&mut disk, &cdb, ScsiData::From(&mut [0; BLOCK]));
        assert_eq!(lost, Err(LinkError::Lost));
        drop(disk);
        // There is nothing to reset.
        assert!(!fake.seen().contains(&Seen::Reset));
    }
    // Not seen in the transfer, but when it is to be put right.
    for at in 0..3 {
        let (fake, mut disk) = fake([In::Data(0, Some(Fault::Other("x".into())))]);
        let well = std::iter::repeat_n(Ok(()), at);
        fake.0
            .borrow_mut()
            .control
            .extend(well.chain([Err(Fault::Gone)]));
        assert_eq!(read(&mut disk), Err(LinkError::Lost), "{at}");
    }
    let (fake, mut disk) = fake([STALL]);
    fake.0.borrow_mut().control.push_back(Err(Fault::Gone));
    assert_eq!(read(&mut disk), Err(LinkError::Lost));
}

#[test]
fn a_device_that_cannot_be_reset_is_an_error_until_it_can() {
    for (fault, error) in [
        (
            Fault::Stall,
            LinkError::Io("the disk refused to be reset".into()),
        ),
        (Fault::Timeout, LinkError::Timeout),
        (Fault::Gone, LinkError::Lost),
        (Fault::Other("x".into()), LinkError::Io("x".into())),
    ] {
        let (fake, mut disk) = fake([]);
        assert_eq!(read(&mut disk), Err(LinkError::Timeout));
        fake.seen();
        fake.0.borrow_mut().control.push_back(Err(fault));
        assert_eq!(read(&mut disk), Err(error));
        assert_eq!(fake.seen(), [Seen::Reset]);
        fake.0
            .borrow_mut()
            .input
            .extend([In::Data(BLOCK, None), PASSED]);
        assert_eq!(read(&mut disk), Ok(good(0)));
    }
}

#[test]
fn commands_that_do_not_fit_are_not_sent() {
    let (fake, mut disk) = fake([]);
    for len in [0, 17] {
        let refused = run(&mut disk, &vec![0; len], ScsiData::None);
        assert!(matches!(refused, Err(LinkError::Io(_))));
        assert_eq!(fake.seen(), recovery());
    }
}
