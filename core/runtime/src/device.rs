//! Devices: which one is meant ([`Selector`]), which are there ([`Finder`]), and opening the chosen one.

mod access;
mod disk;
mod finder;
mod listing;
mod mounts;
mod place;
mod selector;
pub mod surroundings;
#[cfg(target_os = "linux")]
mod sysfs;
pub mod udev;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use glucopipe_sdk::link::Kind;

pub use self::access::Node;
use self::disk::Chosen;
pub use self::finder::Finder;
pub(crate) use self::finder::read_transcript;
pub use self::listing::Attached;
pub use self::selector::{Selector, normalise_serial, serial_end};
use crate::clock::Clock;
use crate::transport::file::FileLink;
use crate::transport::hid::Hid;
use crate::transport::hold::{Hold, PATIENCE};
use crate::transport::link::{Link, LinkContext, LinkError};
use crate::transport::record::Recorder;
use crate::transport::replay::{Departure, Replay};
use crate::transport::transcript::Transcript;
use crate::transport::virtual_meter::VirtualMeter;

/// Where a chosen device is reached.
#[derive(Clone)]
enum Target {
    Hid(String),
    /// With the node it was chosen by.
    Scsi(Chosen, String),
    File(PathBuf),
    Virtual(Box<VirtualMeter>),
    /// Each opening of the link gets the next session, and the first one behind the last.
    Replay(Recording),
}

/// A recording, and how far a driver came with it.
#[derive(Clone)]
struct Recording {
    sessions: Vec<Transcript>,
    opened: Arc<AtomicUsize>,
    departure: Departure,
}

/// A chosen device, ready to be opened by a driver.
#[derive(Clone)]
pub struct Device {
    target: Target,
    usb: Option<(String, String)>,
    serial: Option<String>,
    /// How to name it to people: `Contour Next USB (1a79:7410) at /dev/hidraw3`.
    pub label: String,
    recorder: Option<Recorder>,
    between: Option<Between>,
    clock: Clock,
    /// What keeps other programs away while a link is open. One that still closes shares it with the next.
    held: Arc<Mutex<Weak<Hold>>>,
    /// The serial it must turn out to have.
    wanted: Option<String>,
}

/// Puts something between a driver and each link that it opens.
pub(crate) type Between = Arc<dyn Fn(Box<dyn Link>) -> Box<dyn Link> + Send + Sync>;

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.label)
    }
}

impl Device {
    /// A meter that is plugged in here, apart from others of the same description.
    pub(crate) fn of_virtual(meter: &VirtualMeter, clock: &Clock) -> Self {
        let label = format!("virtual {}", meter.model());
        let (usb, serial) = (Some(meter.usb()), Some(meter.serial()));
        Self::new(
            Target::Virtual(Box::new(meter.clone())),
            usb,
            serial,
            label,
            clock,
        )
    }

    /// A recording.
    pub(crate) fn of_replay(path: &Path, transcript: Transcript, clock: &Clock) -> Self {
        let label = format!("recording `{}`", path.display());
        let usb = transcript.usb.clone();
        let recording = Recording {
            sessions: transcript.sessions(),
            opened: Arc::default(),
            departure: Departure::default(),
        };
        Self::new(Target::Replay(recording), usb, None, label, clock)
    }

    fn new(
        target: Target,
        usb: Option<(String, String)>,
        serial: Option<String>,
        label: String,
        clock: &Clock,
    ) -> Self {
        Self {
            target,
            usb,
            serial,
            label,
            recorder: None,
            between: None,
            clock: clock.clone(),
            held: Arc::default(),
            wanted: None,
        }
    }

    /// Puts something between the driver and every link.
    pub(crate) fn put_between(&mut self, between: Between) {
        self.between = Some(between);
    }

    /// Records every session with it.
    pub fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// Opens a link of a kind.
    ///
    /// # Errors
    /// As the back end says.
    pub fn open(&self, kind: Kind, context: &LinkContext<'_>) -> Result<Box<dyn Link>, LinkError> {
        let link: Box<dyn Link> = match &self.target {
            // A real device is not opened as what it is not.
            Target::Hid(_) if kind != Kind::Hid => return Err(LinkError::Unsupported),
            Target::Scsi(..) if kind != Kind::Scsi => return Err(LinkError::Unsupported),
            Target::Hid(node) => {
                let hold = self.hold(context, place::of_node(node))?;
                Box::new(open_hid(context, node, hold)?)
            }
            Target::Scsi(disk, _) => {
                let hold = self.hold(context, disk.place())?;
                Box::new(disk.open(context, hold)?)
            }
            Target::File(path) => Box::new(FileLink::open(path)?),
            Target::Virtual(meter) => meter.open(&self.clock),
            Target::Replay(recording) => {
                let opened = recording.opened.fetch_add(1, Ordering::SeqCst);
                let next = opened % recording.sessions.len().max(1);
                let session = recording.sessions.get(next).ok_or(LinkError::Lost)?;
                Box::new(Replay::new(session.clone(), recording.departure.clone()))
            }
        };
        if link.kind() != kind {
            return Err(LinkError::Unsupported);
        }
        let link = match &self.between {
            Some(between) => between(link),
            None => link,
        };
        let usb = self
            .usb
            .as_ref()
            .map(|(vendor, product)| (vendor.as_str(), product.as_str()));
        Ok(match &self.recorder {
            Some(recorder) => recorder.wrap(link, usb),
            None => link,
        })
    }

    /// Keeps other programs away, where the system has a place for that.
    fn hold(
        &self,
        context: &LinkContext<'_>,
        place: Option<PathBuf>,
    ) -> Result<Option<Arc<Hold>>, LinkError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hold) = held.upgrade() {
            return Ok(Some(hold));
        }
        let Some(place) = place else { return Ok(None) };
        let hold = Arc::new(Hold::take(context, &place, PATIENCE)?);
        *held = Arc::downgrade(&hold);
        Ok(Some(hold))
    }

    /// Whether a meter with this serial is the one that was chosen.
    pub fn admits(&self, serial: &str) -> bool {
        let wanted = self.wanted.as_ref();
        wanted.is_none_or(|wanted| *wanted == normalise_serial(serial))
    }

    /// Where the driver left a recording, if it did and has not come back.
    pub fn departure(&self) -> Option<String> {
        match &self.target {
            Target::Replay(recording) => {
                let words = recording.departure.words()?;
                Some(format!("{}, {words}", self.label))
            }
            _ => None,
        }
    }

    /// The name of a real device, which only one source may talk to.
    pub fn node(&self) -> Option<String> {
        match &self.target {
            Target::Hid(node) => Some(node.clone()),
            Target::Scsi(disk, node) => {
                let usb = disk.usb.as_ref().map(|usb| usb.address.to_string());
                Some(usb.unwrap_or_else(|| node.clone()))
            }
            _ => None,
        }
    }

    /// How it is reached, in the words of the journal.
    pub fn transport(&self) -> &'static str {
        match &self.target {
            Target::Virtual(_) => "virtual",
            Target::Replay(_) => "replay",
            Target::File(_) => "file",
            Target::Hid(_) => "hid",
            Target::Scsi(..) => "scsi",
        }
    }

    /// What the driver is told of it.
    pub fn describe(&self) -> serde_json::Value {
        let (link, node) = match &self.target {
            Target::Hid(node) => ("hid", Some(node.clone())),
            Target::Scsi(_, node) => ("scsi", Some(node.clone())),
            Target::File(path) => ("file", Some(path.display().to_string())),
            Target::Virtual(meter) => (meter.link(), None),
            Target::Replay(recording) => {
                let first = recording.sessions.first();
                (first.map_or("", |session| &session.link), None)
            }
        };
        let mut description = serde_json::Map::new();
        description.insert("link".into(), link.into());
        if let Some((vendor, product)) = &self.usb {
            description.insert("vendor".into(), vendor.as_str().into());
            description.insert("product".into(), product.as_str().into());
        }
        for (key, value) in [("serial", &self.serial), ("node", &node)] {
            if let Some(value) = value {
                description.insert(key.into(), value.as_str().into());
            }
        }
        description.into()
    }
}

/// Opens a HID node; hidapi does not say whether it was not allowed.
fn open_hid(
    context: &LinkContext<'_>,
    node: &str,
    hold: Option<Arc<Hold>>,
) -> Result<Hid, LinkError> {
    Hid::open(context, node, hold).map_err(|error| match (error, Node::look(node)) {
        (LinkError::Io(_) | LinkError::Access(_), seen) if !seen.accessible => {
            LinkError::Access(access::why(&[seen]))
        }
        (error, _) => error,
    })
}
