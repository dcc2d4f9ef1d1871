//! What a test works with: the component, its configuration, a meter, readings, and a place for findings.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use glucopipe_emulator::catalog;
use serde_json::{Map, Value, json};

use super::catalog::LOAD;
use super::link::Tap;
use super::traces::Settings;
use super::{HOME, NOTES, Outcome, Request, STEP, Stop, Tested, Verdict, fail, skip, write_whole};
use crate::cancel::Cancel;
use crate::clock::Clock;
use crate::device::{Device, Selector, read_transcript};
use crate::host::{Logger, Operation, OperationSetup};
use crate::isolate::{self, Rights};
use crate::plugin::{Component, ComponentKind, Permission, Vetted, load};
use crate::problem::Problem;
use crate::transport::virtual_meter::VirtualMeter;

/// Where the system tells the state of this process, which the tests look at.
const OWN_STATE: &str = "/proc/self";
/// Most findings of a kind that are told.
const TOLD: usize = 8;
/// Half of the longest finding that is told as a whole.
const HALF_LINE: usize = 180;
/// Readings in the virtual meter that is taken when none is named.
const RECORDS: u32 = 6;

/// What a test works with.
pub(super) struct Bench<'a> {
    pub(super) request: &'a Request,
    pub(super) clock: Clock,
    pub(super) dice: Dice,
    /// The library, open.
    vetted: Result<Vetted, Problem>,
    /// What is left of the rights of this process, when it gave some up.
    rights: Option<Rights>,
    components: OnceCell<Vec<Arc<Component>>>,
    faults: RefCell<Vec<String>>,
    warnings: RefCell<Vec<String>>,
    notes: RefCell<Vec<String>>,
    /// The meter that was read last, if nobody disturbs it.
    meter: RefCell<Option<Device>>,
    pub(super) listed: Vec<super::Named>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(request: &'a Request) -> Self {
        Self {
            request,
            vetted: Vetted::open(&request.library, false),
            rights: None,
            clock: Clock::Fixed(request.now),
            dice: Dice(request.seed),
            components: OnceCell::new(),
            faults: RefCell::default(),
            warnings: RefCell::default(),
            notes: RefCell::default(),
            meter: RefCell::default(),
            listed: Vec::new(),
        }
    }

    /// Gives up what a child gives up that runs the component in a pipeline, but for what the test itself needs.
    pub(super) fn confine(&mut self) {
        let given = match (&self.vetted, &self.request.component) {
            (Ok(vetted), Some(component)) => component.kind().map_or_else(Rights::none, |kind| {
                let config = self.request.config.clone().unwrap_or_else(guesses);
                let id = component.id.clone();
                Rights::of(&isolate::Named { kind, id, config }, vetted)
            }),
            _ => Rights::none(),
        };
        let device = self.request.device.as_deref().unwrap_or_default();
        let recording = device.strip_prefix("replay:").map(PathBuf::from);
        let readable = recording.into_iter().chain([PathBuf::from(OWN_STATE)]);
        let rights = given.shared(readable.collect(), self.request.folder.join(NOTES));
        // A right to this folder holds as long as the kernel does not forget it, and so it stays open.
        std::mem::forget(File::open(OWN_STATE));
        let telling = self.request.test == LOAD;
        isolate::give_up(&rights, &self.request.library, &|what, why| {
            if telling {
                self.note(format!(
                    "the tests have more rights than a plugin: {what}: {why}"
                ));
            }
        });
        self.rights = Some(rights);
    }

    /// The library as it was opened, to be loaded.
    pub(super) fn vetted(&self) -> Result<&Vetted, Problem> {
        self.step("loading the library");
        self.vetted.as_ref().map_err(Clone::clone)
    }

    /// Gives up what only loading needs.
    pub(super) fn is_loaded(&self) {
        if let Some(rights) = &self.rights {
            isolate::give_up_loading(rights);
        }
    }

    /// Runs a test to its verdict.
    pub(super) fn run(mut self, test: fn(&mut Self) -> Tested) -> Verdict {
        let before = Settings::take();
        let tested = test(&mut self);
        for change in Settings::take().since(&before) {
            self.fault(change);
        }
        let (outcome, stopped) = match tested {
            Ok(()) => (Outcome::Passed, None),
            Err(Stop::Skip(reason)) => (Outcome::Skipped, Some(reason)),
            Err(Stop::Fail(reason)) => (Outcome::Failed, Some(reason)),
        };
        let departure = self.departure();
        let (mut faults, mut warnings) = (self.faults.into_inner(), self.warnings.into_inner());
        let outcome = match outcome {
            _ if !faults.is_empty() => Outcome::Failed,
            Outcome::Passed if !warnings.is_empty() => Outcome::Warned,
            outcome => outcome,
        };
        faults.extend(stopped);
        match outcome {
            Outcome::Failed => faults.extend(departure),
            Outcome::Warned => warnings.extend(departure),
            Outcome::Passed | Outcome::Skipped => {}
        }
        let (mut reasons, mut notes) = (shortened(faults), shortened(self.notes.into_inner()));
        if outcome == Outcome::Warned {
            reasons = shortened(warnings);
        } else {
            notes.splice(..0, shortened(warnings));
        }
        Verdict {
            outcome,
            reasons,
            notes,
            components: self.listed,
        }
    }

    /// Notes that the contract is broken; the test goes on.
    pub(super) fn fault(&self, text: impl Into<String>) {
        add(&self.faults, text.into());
    }

    /// Notes what breaks nothing, and its author should see.
    pub(super) fn warn(&self, text: impl Into<String>) {
        add(&self.warnings, text.into());
    }

    /// Notes what is good to know.
    pub(super) fn note(&self, text: impl Into<String>) {
        add(&self.notes, text.into());
    }

    /// Says what is done now, for a test that does not come back.
    pub(super) fn step(&self, text: impl AsRef<str>) {
        // Without it a crash is told less well, and no worse.
        let _ = write_whole(&self.request.note(STEP), text.as_ref().as_bytes());
    }

    /// The component under test.
    pub(super) fn component(&self) -> Result<Arc<Component>, Stop> {
        let Some(named) = &self.request.component else {
            return fail("no component was named");
        };
        let components = match self.components.get() {
            Some(components) => components,
            None => {
                let loaded = self
                    .vetted()
                    .and_then(load)
                    .map_err(|problem| Stop::Fail(problem.causes.join("; ")))?;
                self.is_loaded();
                let loaded = loaded.into_iter().map(Arc::new).collect();
                self.components.get_or_init(|| loaded)
            }
        };
        let found = components.iter().find(|one| named.is(one.kind, &one.id));
        match found {
            Some(component) => Ok(component.clone()),
            None => fail(format!("it has no {} `{}` any more", named.kind, named.id)),
        }
    }

    /// A configuration that the component should take: the one given, or one made up.
    pub(super) fn config(&self, component: &Component) -> Result<Value, Stop> {
        let schema = &component.about.config_schema;
        let keys = match &self.request.config {
            Some(given) => given.clone(),
            None => made_up(schema),
        };
        match crate::config::misfits(schema, &keys) {
            Ok(misfits) if misfits.is_empty() => Ok(keys),
            Ok(misfits) if self.request.config.is_some() => skip(format!(
                "the configuration given does not fit: {}",
                misfits.join("; ")
            )),
            Ok(misfits) => skip(format!(
                "it needs a configuration ({}): give one with `--config`",
                misfits.join("; ")
            )),
            Err(reason) => fail(format!("its `config_schema` is broken: {reason}")),
        }
    }

    /// A meter for the driver under test, the same in content at each call.
    pub(super) fn device(&self, component: &Component) -> Result<Device, Stop> {
        let permits = |vetted: &Vetted| vetted.permits(Permission::Devices);
        if !self.vetted.as_ref().is_ok_and(permits) {
            return fail("its manifest does not ask for `devices`, so no pipeline lends it a link");
        }
        let selector = match &self.request.device {
            Some(device) => device.clone(),
            None => known_meter(component).map_or_else(
                || skip("nothing was given to read: name a meter with `--device virtual:…` or `--device replay:FILE`"),
                Ok,
            )?,
        };
        let told = |problem: Problem| {
            Stop::Skip(format!("{}: {}", problem.title, problem.causes.join("; ")))
        };
        let audited = match selector.strip_prefix("virtual:") {
            Some(uri) if !uri.contains("audit=") => {
                let sign = if uri.contains('?') { '&' } else { '?' };
                format!("{selector}{sign}audit={}", self.audit().display())
            }
            _ => selector,
        };
        let device = match Selector::parse(&audited).map_err(told)? {
            Selector::Virtual(meter) => Device::of_virtual(&meter, &self.clock),
            Selector::Replay(path) => {
                let transcript = read_transcript(&path).map_err(told)?;
                Device::of_replay(&path, transcript, &self.clock)
            }
            _ => {
                return skip(
                    "only virtual meters and recordings are checked: faults are no good for a real one",
                );
            }
        };
        self.meter.replace(Some(device.clone()));
        Ok(device)
    }

    /// Where a virtual meter writes down what it objects to.
    fn audit(&self) -> PathBuf {
        self.request.note("audit")
    }

    /// Notes what the virtual meter objected to so far.
    pub(super) fn complaints(&self) {
        let audit = std::fs::read_to_string(self.audit()).unwrap_or_default();
        for complaint in audit
            .lines()
            .filter_map(|line| line.strip_prefix("violation: "))
        {
            self.fault(format!("the virtual meter objects: {complaint}"));
        }
    }

    /// Whether the meter is a recording, which answers nothing but what was asked then.
    pub(super) fn is_recording(&self) -> bool {
        let device = self.request.device.as_deref();
        device.is_some_and(|device| device.starts_with("replay:"))
    }

    /// Where the driver left the recording that it read last, if it did and nobody disturbed it.
    fn departure(&self) -> Option<String> {
        self.meter.borrow().as_ref()?.departure()
    }

    /// The meter with a tap on its links.
    pub(super) fn tapped(&self, component: &Component, tap: &Tap) -> Result<Device, Stop> {
        let mut device = self.device(component)?;
        device.put_between(tap.between());
        if tap.strikes() {
            self.meter.take();
        }
        Ok(device)
    }

    /// An operation that nobody cancels.
    pub(super) fn operation(&self, device: Option<Device>) -> Arc<Operation> {
        self.operation_until(device, &Cancel::new())
    }

    /// An operation that ends with this flag.
    pub(super) fn operation_until(
        &self,
        device: Option<Device>,
        cancel: &Cancel,
    ) -> Arc<Operation> {
        Arc::new(Operation::start(self.setup(device, cancel)))
    }

    /// What an operation is made of.
    pub(super) fn setup(&self, device: Option<Device>, cancel: &Cancel) -> OperationSetup {
        OperationSetup {
            node: "check".to_owned(),
            cancel: cancel.clone(),
            clock: self.clock.clone(),
            logger: Logger::silent(),
            progress: None,
            device,
        }
    }

    /// The folder that the test works in.
    pub(super) fn home(&self) -> PathBuf {
        self.request.folder.join(HOME)
    }
}

/// Adds a text, once.
fn add(list: &RefCell<Vec<String>>, text: String) {
    let mut list = list.borrow_mut();
    if !list.contains(&text) {
        list.push(text);
    }
}

/// Few enough texts, none of them too long: of a long one the beginning and the end are told.
fn shortened(texts: Vec<String>) -> Vec<String> {
    let short = |text: String| {
        let letters: Vec<char> = text.chars().collect();
        if letters.len() <= 2 * HALF_LINE {
            return text;
        }
        let (begin, end) = (&letters[..HALF_LINE], &letters[letters.len() - HALF_LINE..]);
        begin.iter().chain(&[' ', '…', ' ']).chain(end).collect()
    };
    let mut texts: Vec<String> = texts.into_iter().map(short).collect();
    if texts.len() > TOLD {
        let more = texts.len() - TOLD;
        texts.truncate(TOLD);
        texts.push(format!("and {more} more like these"));
    }
    texts
}

/// A virtual meter that the driver says it knows.
fn known_meter(component: &Component) -> Option<String> {
    let meters = catalog().iter().filter_map(|entry| {
        let uri = format!("{}?records={RECORDS}", entry.key);
        Some((VirtualMeter::parse(&uri).ok()?, uri))
    });
    let mut meters = meters.filter(|(meter, _)| {
        let (vendor, product) = meter.usb();
        let mut devices = component.about.devices.iter();
        devices.any(|known| {
            known.link == meter.link()
                && known.vendor.eq_ignore_ascii_case(&vendor)
                && (known.product == "*" || known.product.eq_ignore_ascii_case(&product))
        })
    });
    meters.next().map(|(_, uri)| format!("virtual:{uri}"))
}

/// What can be guessed of a configuration: `path`, when it is required, is a name in the test's own folder.
fn made_up(schema: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten();
    let guesses = guesses();
    let keys: Map<String, Value> = required
        .filter_map(Value::as_str)
        .filter_map(|key| Some((key.to_owned(), guesses.get(key)?.clone())))
        .collect();
    Value::Object(keys)
}

/// All keys that can be guessed.
fn guesses() -> Value {
    json!({ "path": "out" })
}

/// Numbers that look random and follow from the seed (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    /// The next number.
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number below a limit.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit.max(1)
    }
}

/// The word of a kind, for the tests of one.
pub(super) fn word(component: &Component) -> &'static str {
    match component.kind {
        ComponentKind::Driver => "session",
        ComponentKind::Exporter => "sink",
        ComponentKind::Transform => "transform",
    }
}
