//! Captures of USB traffic, as Wireshark saves them, made transcripts.
//!
//! `packets` reads the file and `usb` its packets; `survey` says which devices talk in it, and
//! `conversation` makes events of what one of them said: HID reports, or SCSI commands in `bulk_only`. The
//! file is somebody else's: it is read piece by piece, and no length in it is believed.

mod bulk_only;
mod conversation;
mod packets;
mod survey;
mod usb;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use glucopipe_sdk::transcript::Transcript;

pub use self::usb::Address;

use self::conversation::Conversation;
use self::packets::CaptureError;
use self::survey::{Seen, Survey};
use crate::problem::{Code, Place, Problem};

/// Most devices that a message lists.
const LISTED: usize = 16;

/// A conversation out of a capture.
#[derive(Debug)]
pub struct Imported {
    /// The conversation.
    pub transcript: Transcript,
    /// Whose it is.
    pub device: Address,
    /// SCSI commands that are left out, because how they ended is not in the capture.
    pub left_out: u64,
    /// Whether the file ends within a packet.
    pub cut_off: bool,
}

/// Makes a transcript of what a device says in a capture: the named one, or the only one that fits.
///
/// # Errors
/// A file that is no capture of USB traffic, or of which device to take is not certain.
pub fn import(path: &Path, device: Option<Address>) -> Result<Imported, Problem> {
    let shown = path.display().to_string();
    let failed = |cause: String| {
        Problem::error(Code::CAPTURE, format!("cannot import `{shown}`"))
            .at(Place::Named(shown.clone()))
            .cause(cause)
            .kept("nothing was written")
    };
    let read = |error: std::io::Error| failed(error.to_string());
    let mut file = File::open(path).map_err(read)?;
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(failed("it is not a regular file".into()));
    }
    let unread = |error: CaptureError| failed(error.to_string());
    let survey = Survey::of(&mut file).map_err(unread)?;
    let (device, seen) = choose(&survey, device).map_err(|choice| {
        let problem = match choice {
            Choice::None => {
                failed("it has no HID reports in both directions, and no SCSI commands".into())
            }
            Choice::Silent(address) => failed(silent(address)),
            Choice::Several => {
                let title = format!("more than one device of `{shown}` may be the meter");
                Problem::error(Code::DEVICE_CHOICE, title)
                    .at(Place::Named(shown.clone()))
                    .kept("nothing was written")
                    .hint("say which one is meant, as in `--device 1.5`")
            }
        };
        list(problem, &survey)
    })?;
    file.rewind().map_err(read)?;
    let conversation = Conversation::of(&mut file, device, seen).map_err(unread)?;
    if conversation.events.is_empty() {
        return Err(failed(silent(device)));
    }
    Ok(Imported {
        transcript: Transcript {
            link: if seen.is_hid() { "hid" } else { "scsi" }.to_owned(),
            usb: seen
                .ids
                .map(|(vendor, product)| (format!("{vendor:04x}"), format!("{product:04x}"))),
            events: (1..).zip(conversation.events).collect(),
        },
        device,
        left_out: conversation.left_out,
        cut_off: survey.cut_off,
    })
}

fn silent(device: Address) -> String {
    format!("device {device} says nothing in it that a transcript can hold")
}

/// Says what devices there are.
fn list(problem: Problem, survey: &Survey) -> Problem {
    let devices = survey.devices.iter().take(LISTED);
    let problem = devices.fold(problem, |problem, (address, seen)| {
        problem.cause(format!("device {address}: {seen}"))
    });
    match survey.devices.len().saturating_sub(LISTED) {
        0 => problem,
        more => problem.cause(format!("and {more} more devices")),
    }
}

/// Why no device was chosen.
enum Choice {
    None,
    Silent(Address),
    Several,
}

fn choose(survey: &Survey, named: Option<Address>) -> Result<(Address, Seen), Choice> {
    if let Some(address) = named {
        let seen = survey.devices.get(&address).copied();
        let seen = seen.filter(|seen| seen.is_hid() || seen.commands > 0);
        return seen
            .map(|seen| (address, seen))
            .ok_or(Choice::Silent(address));
    }
    let mut fitting = survey.devices.iter().filter(|(_, seen)| seen.fits());
    match (fitting.next(), fitting.next()) {
        (Some((address, seen)), None) => Ok((*address, *seen)),
        (None, _) => Err(Choice::None),
        (Some(_), Some(_)) => Err(Choice::Several),
    }
}

/// Reads a capture that is not only a file.
trait Source: Read + Send {}
impl<T: Read + Send> Source for T {}
