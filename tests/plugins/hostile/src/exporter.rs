//! The exporter `hostile`.

use std::ffi::c_char;
use std::fs;
use std::path::PathBuf;
use std::ptr;
use std::sync::OnceLock;

use glucopipe_sdk::component::Secret;
use glucopipe_sdk::export::{self, Static};
use glucopipe_sdk::exporter::{CommitReport, Exporter, Sink};
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Op, Result, Status, abi};

use crate::crime::Crime;
use crate::laced::{self, Laced};
use crate::waits::Waits;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "glucopipe_sdk::schemars")]
enum Mode {
    Good,
    PanicOpen,
    PanicWrite,
    PanicCommit,
    PanicDrop,
    StopsEarly,
    ReadsNothing,
    SwallowsErrors,
    ErrorKey,
    ErrorCommit,
    ErrorSilent,
    Deaf,
    DeafClose,
    SinkNull,
    Keeps,
    Copies,
    ReportGarbage,
    ReportNull,
    Secret,
}

/// Keys in `[sinks.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
struct Config {
    /// What goes wrong.
    mode: Mode,
    /// A file that gets the number of readings at the commit, or the length of the secret.
    path: PathBuf,
    /// A secret whose length is written.
    key: Option<Secret>,
    /// What is done to the process when there are readings, besides.
    crime: Option<Crime>,
    /// What is done to the process at the commit.
    last_crime: Option<Crime>,
    /// Where it waits.
    #[serde(flatten)]
    waits: Waits,
}

struct Honest;

impl Exporter for Honest {
    const ID: &'static str = "hostile";
    const SUMMARY: &'static str = "misbehaves on demand";
    type Config = Config;
    type Sink = Counter;

    fn open(_: &Op, config: Config) -> Result<Counter> {
        assert!(config.mode != Mode::PanicOpen, "boom in open");
        if config.mode == Mode::ErrorKey {
            return Err(Error::config("path", "no such planet"));
        }
        Ok(Counter { config, rows: 0 })
    }
}

/// Counts readings.
struct Counter {
    config: Config,
    rows: usize,
}

impl Sink for Counter {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        let mode = self.config.mode;
        match mode {
            Mode::ReadsNothing => return Ok(()),
            Mode::Deaf | Mode::SwallowsErrors => self.config.waits.stand_still(),
            _ => op.check()?,
        }
        loop {
            match readings.next_batch() {
                Ok(Some(batch)) => self.rows += batch.num_rows(),
                Err(error) if mode != Mode::SwallowsErrors => return Err(error),
                Ok(None) | Err(_) => break,
            }
            assert!(mode != Mode::PanicWrite, "boom in write");
            commit_crime(self.config.crime)?;
            if mode == Mode::StopsEarly {
                break;
            }
        }
        Ok(())
    }

    fn commit(&mut self, _: &Op) -> Result<CommitReport> {
        assert!(self.config.mode != Mode::PanicCommit, "boom in commit");
        commit_crime(self.config.last_crime)?;
        if self.config.mode == Mode::ErrorCommit {
            return Err(Error::new(Status::Io, "the server is on fire"));
        }
        let text = match &self.config.key {
            Some(key) => key.expose().len().to_string(),
            None => self.rows.to_string(),
        };
        fs::write(&self.config.path, text)
            .map_err(|error| Error::file("cannot write the count", &error))?;
        Ok(CommitReport {
            delivered: self.rows as u64,
            ..CommitReport::default()
        })
    }
}

fn commit_crime(crime: Option<Crime>) -> Result<()> {
    let done = crime.map_or(Ok(()), Crime::commit);
    done.map_err(|why| Error::new(Status::Io, format!("not allowed: {why}")))
}

impl Drop for Counter {
    fn drop(&mut self) {
        assert!(self.config.mode != Mode::PanicDrop, "boom in drop");
        if self.config.mode == Mode::DeafClose {
            self.config.waits.stand_still();
        }
    }
}

type Open = Laced<abi::gp_sink, Config>;

fn inner() -> &'static abi::gp_exporter {
    static INNER: OnceLock<Static<abi::gp_component>> = OnceLock::new();
    let component = INNER.get_or_init(export::exporter::<Honest>);
    // SAFETY: the SDK's component has a static table of this type.
    unsafe { &*component.0.table.cast::<abi::gp_exporter>() }
}

/// The component, with a laced table.
pub(crate) fn component() -> Static<abi::gp_component> {
    static TABLE: OnceLock<Static<abi::gp_exporter>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        Static(abi::gp_exporter {
            open: Some(open),
            close: Some(close),
            write: Some(write),
            commit: Some(commit),
            ..*inner()
        })
    });
    let mut component = export::exporter::<Honest>();
    component.0.table = (&raw const table.0).cast();
    component
}

unsafe extern "C" fn open(
    op: *const abi::gp_op,
    config: *const c_char,
    out: *mut *mut abi::gp_sink,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as the ABI says of `open`; the object is replaced by one that holds it.
    unsafe {
        let Some(laced) = laced::config::<Config>(config) else {
            return laced::fail(error, Status::InvalidArgument, "no configuration");
        };
        match laced.mode {
            Mode::SinkNull => return abi::GP_OK,
            Mode::ErrorSilent => return abi::GP_E_IO,
            _ => {}
        }
        let code = inner().open.map_or(1, |open| open(op, config, out, error));
        if code == abi::GP_OK {
            *out = Open::into_raw(*out, laced);
        }
        code
    }
}

unsafe extern "C" fn close(sink: *mut abi::gp_sink) {
    // SAFETY: the host closes an open sink once.
    unsafe {
        if let (Some(laced), Some(close)) = (Open::from_raw(sink), inner().close) {
            close(laced.inner);
        }
    }
}

unsafe extern "C" fn write(
    sink: *mut abi::gp_sink,
    op: *const abi::gp_op,
    readings: *mut abi::ArrowArrayStream,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as the ABI says of `write`, but for the misdeeds.
    unsafe {
        let laced = Open::of(sink);
        let Some(write) = inner().write else {
            return abi::GP_E_INTERNAL;
        };
        match laced.config.mode {
            // Never looked at.
            Mode::Keeps => abi::GP_OK,
            // Released through a copy: the host's struct still looks live.
            Mode::Copies => {
                let mut copy = ptr::read(readings);
                write(laced.inner, op, &raw mut copy, error)
            }
            _ => write(laced.inner, op, readings, error),
        }
    }
}

unsafe extern "C" fn commit(
    sink: *mut abi::gp_sink,
    op: *const abi::gp_op,
    report: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as the ABI says of `commit`.
    unsafe {
        let laced = Open::of(sink);
        let mut honest = abi::gp_string::EMPTY;
        let code = inner()
            .commit
            .map_or(1, |commit| commit(laced.inner, op, &raw mut honest, error));
        if code != abi::GP_OK {
            return code;
        }
        match laced.config.mode {
            Mode::ReportNull => {}
            Mode::ReportGarbage => return laced::say(report, "{\"delivered\": \"all of it\"}"),
            _ => {
                report.write(honest);
                return abi::GP_OK;
            }
        }
        if let Some(release) = honest.release {
            release(&raw mut honest);
        }
        abi::GP_OK
    }
}
