//! The transform `hostile`.

use std::ffi::c_char;
use std::ptr;
use std::sync::{Arc, OnceLock};

use glucopipe_sdk::arrow::array::{Float64Array, RecordBatch, StringArray};
use glucopipe_sdk::arrow::compute::concat_batches;
use glucopipe_sdk::export::{self, Static};
use glucopipe_sdk::ffi::give_error;
use glucopipe_sdk::ffi::guard::guard;
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::stream::{Batches, Import, export};
use glucopipe_sdk::transform::{Filter, Transform};
use glucopipe_sdk::{Error, Op, Result, Status, abi};

use crate::crime::Crime;
use crate::driver::edit;
use crate::laced::{self, Laced, Prepared};
use crate::waits::Waits;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "glucopipe_sdk::schemars")]
enum Mode {
    // Allowed.
    Good,
    DropsRows,
    DropsAll,
    // Through the SDK.
    PanicOpen,
    PanicApply,
    PanicDrop,
    Fails,
    Deaf,
    ChangesRaw,
    // Past the SDK.
    Repeats,
    Invents,
    LosesColumn,
    ChangesType,
    Nan,
    UnknownUnit,
    NullInDictionary,
    EndlessEmpty,
    SharedText,
    Swallows,
    Keeps,
    Copies,
    NoOutput,
}

/// Keys in `[transforms.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
struct Config {
    /// What goes wrong.
    mode: Mode,
    /// What is done to the process, besides.
    crime: Option<Crime>,
    /// Where it waits.
    #[serde(flatten)]
    waits: Waits,
}

struct Honest {
    config: Config,
}

impl Transform for Honest {
    const ID: &'static str = "hostile";
    const SUMMARY: &'static str = "misbehaves on demand";
    type Config = Config;
    type Filter = Self;

    fn open(_: &Op, config: Config) -> Result<Self> {
        assert!(config.mode != Mode::PanicOpen, "boom in open");
        Ok(Self { config })
    }
}

impl Filter for Honest {
    fn apply(&mut self, _: &Op, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        if let Some(crime) = self.config.crime {
            crime
                .commit()
                .map_err(|why| Error::new(Status::Io, format!("not allowed: {why}")))?;
        }
        match self.config.mode {
            Mode::PanicApply => panic!("boom in apply"),
            Mode::Fails => Err(Error::new(Status::Io, "the moon is in the way")),
            Mode::DropsRows => Ok(Some(batch.slice(1, batch.num_rows() - 1))),
            Mode::DropsAll => Ok(None),
            Mode::Deaf => {
                self.config.waits.stand_still();
                Ok(Some(batch))
            }
            Mode::ChangesRaw => {
                let forged = StringArray::from(vec!["55"; batch.num_rows()]);
                Ok(Some(edit::with(&batch, "raw_value", Arc::new(forged))))
            }
            _ => Ok(Some(batch)),
        }
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        assert!(self.config.mode != Mode::PanicDrop, "boom in drop");
    }
}

type Open = Laced<abi::gp_filter, Config>;

fn inner() -> &'static abi::gp_transform {
    static INNER: OnceLock<Static<abi::gp_component>> = OnceLock::new();
    let component = INNER.get_or_init(export::transform::<Honest>);
    // SAFETY: the SDK's component has a static table of this type.
    unsafe { &*component.0.table.cast::<abi::gp_transform>() }
}

/// The component, with a laced table.
pub(crate) fn component() -> Static<abi::gp_component> {
    static TABLE: OnceLock<Static<abi::gp_transform>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        Static(abi::gp_transform {
            open: Some(open),
            close: Some(close),
            apply: Some(apply),
            ..*inner()
        })
    });
    let mut component = export::transform::<Honest>();
    component.0.table = (&raw const table.0).cast();
    component
}

unsafe extern "C" fn open(
    op: *const abi::gp_op,
    config: *const c_char,
    out: *mut *mut abi::gp_filter,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as the ABI says of `open`; the object is replaced by one that holds it.
    unsafe {
        let Some(laced) = laced::config::<Config>(config) else {
            return laced::fail(error, Status::InvalidArgument, "no configuration");
        };
        let code = inner().open.map_or(1, |open| open(op, config, out, error));
        if code == abi::GP_OK {
            *out = Open::into_raw(*out, laced);
        }
        code
    }
}

unsafe extern "C" fn close(filter: *mut abi::gp_filter) {
    // SAFETY: the host closes an open transform once.
    unsafe {
        if let (Some(laced), Some(close)) = (Open::from_raw(filter), inner().close) {
            close(laced.inner);
        }
    }
}

unsafe extern "C" fn apply(
    filter: *mut abi::gp_filter,
    op: *const abi::gp_op,
    input: *mut abi::ArrowArrayStream,
    out: *mut abi::ArrowArrayStream,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as the ABI says of `apply`, but for the misdeeds.
    unsafe {
        let laced = Open::of(filter);
        let Some(apply) = inner().apply else {
            return abi::GP_E_INTERNAL;
        };
        match laced.config.mode {
            Mode::NoOutput => {
                drop(Import::new(ptr::replace(
                    input,
                    abi::ArrowArrayStream::EMPTY,
                )));
                abi::GP_OK
            }
            // Takes a copy and leaves the host's struct as if it were still live.
            Mode::Copies => {
                let mut copy = ptr::read(input);
                apply(laced.inner, op, &raw mut copy, out, error)
            }
            mode if mode as u8 >= Mode::Repeats as u8 => {
                let source = if mode == Mode::Keeps {
                    // Reads a copy to its end and never releases it.
                    ptr::read(input)
                } else {
                    ptr::replace(input, abi::ArrowArrayStream::EMPTY)
                };
                let forged = guard(|| forge(&laced.config, Import::new(source)?));
                match forged {
                    Ok(forged) => {
                        out.write(export(Box::new(forged)));
                        abi::GP_OK
                    }
                    Err(failure) => give_error(error, &failure),
                }
            }
            _ => apply(laced.inner, op, input, out, error),
        }
    }
}

fn forge(config: &Config, mut input: Import) -> Result<Prepared> {
    let schema = input.schema();
    let mut batches = Vec::new();
    if config.mode == Mode::Swallows {
        config.waits.stand_still();
    }
    loop {
        match input.next_batch() {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => break,
            Err(_) if config.mode == Mode::Swallows => break,
            Err(error) => return Err(error),
        }
    }
    let batch = concat_batches(&schema, &batches)?;
    let forged = match config.mode {
        Mode::Repeats => edit::repeated(&batch, batch.num_rows()),
        Mode::Invents => {
            edit::with_word(&batch, "reading_id", "00000000-0000-0000-0000-000000000000")
        }
        Mode::LosesColumn => edit::without(&batch, "raw_unit"),
        Mode::ChangesType => {
            let text = StringArray::from(vec!["5.5"; batch.num_rows()]);
            edit::with(&batch, "value", Arc::new(text))
        }
        Mode::Nan => {
            let values = Float64Array::from(vec![f64::NAN; batch.num_rows()]);
            edit::with(&batch, "value", Arc::new(values))
        }
        Mode::UnknownUnit => edit::with_word(&batch, "unit", "stone"),
        Mode::NullInDictionary => edit::null_in_dictionary(&batch, "driver"),
        Mode::EndlessEmpty => batch.slice(0, 0),
        Mode::SharedText => edit::with_shared_text(&batch, "notes"),
        _ => batch,
    };
    if config.mode == Mode::Keeps {
        std::mem::forget(input);
    }
    let mut prepared = Prepared::one(forged);
    prepared.endless = config.mode == Mode::EndlessEmpty;
    Ok(prepared)
}
