//! The driver `hostile`.

pub(crate) mod edit;
mod honest;
mod rows;
mod stream;

use std::ffi::c_char;
use std::mem::size_of;
use std::sync::OnceLock;

use glucopipe_sdk::export::{self, Static};
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::{Status, abi};

use crate::crime::Crime;
use crate::laced::{self, Laced};
use crate::waits::Waits;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub(crate) enum Mode {
    // Nothing, or what the SDK sees to.
    Good,
    PanicOpen,
    PanicInfo,
    PanicRead,
    PanicNext,
    PanicFirst,
    PanicFinish,
    PanicDrop,
    ErrorOpen,
    ErrorControlCharacters,
    Lost,
    LostLate,
    Deaf,
    SerialEmpty,
    SerialControl,
    ModelControl,
    // Calls.
    SessionNull,
    FailsWithoutError,
    UnknownStatus,
    InfoGarbage,
    InfoNull,
    InfoBytes,
    ReportGarbage,
    ReportNull,
    ReportError,
    StreamReleased,
    // Schemas.
    ColumnMissing,
    ColumnType,
    ColumnExtra,
    ColumnOfHost,
    ColumnTwice,
    MetadataMissing,
    DeviceMissing,
    DeviceGarbage,
    UnitMissing,
    NoColumns,
    // Rows.
    RowKind,
    RowUnit,
    RowNan,
    RowNegative,
    RowHuge,
    RowRange,
    RowTime,
    RowKeyEmpty,
    RowKeyTwice,
    NullColumn,
    NullInDictionary,
    TooMany,
    Endless,
    EndlessEmpty,
    SharedText,
    // Streams and buffers.
    StreamError,
    StreamErrorSilent,
    StreamErrorBytes,
    StreamErrorUnknown,
    SchemaEmpty,
    SchemaError,
    SchemaNameBytes,
    SchemaChildrenNull,
    SchemaNotStruct,
    LengthNegative,
    LengthHuge,
    OffsetHuge,
    BuffersFew,
    BuffersNull,
    ChildrenNull,
    ChildrenFew,
    ChildNull,
    ChildReleased,
    ChildShort,
    DictionaryNull,
    IndexBeyond,
    IndexNegative,
    OffsetsBeyond,
    OffsetsNegative,
    TextBytes,
    NullCountWrong,
    NullRows,
    /// Points where no memory is.
    Wild,
}

/// Keys in `[sources.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub(crate) struct Config {
    /// What goes wrong.
    pub(crate) mode: Mode,
    /// How many readings the meter holds; 3 unless given.
    pub(crate) readings: Option<u32>,
    /// What is done to the process, besides.
    pub(crate) crime: Option<Crime>,
    /// After how many readings; 0 unless given.
    pub(crate) after: Option<u32>,
    /// Where it waits.
    #[serde(flatten)]
    pub(crate) waits: Waits,
}

type Session = Laced<abi::gp_session, Config>;

/// The table that the SDK made.
fn inner() -> &'static abi::gp_driver {
    static INNER: OnceLock<Static<abi::gp_component>> = OnceLock::new();
    let component = INNER.get_or_init(export::driver::<honest::Honest>);
    // SAFETY: the SDK's component has a static table of this type.
    unsafe { &*component.0.table.cast::<abi::gp_driver>() }
}

/// The component, with a laced table.
pub(crate) fn component() -> Static<abi::gp_component> {
    static TABLE: OnceLock<Static<abi::gp_driver>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        Static(abi::gp_driver {
            open: Some(open),
            close: Some(close),
            info: Some(info),
            read: Some(read),
            read_report: Some(read_report),
            ..*inner()
        })
    });
    assert!(size_of::<abi::gp_driver>() == table.0.struct_size as usize);
    let mut component = export::driver::<honest::Honest>();
    component.0.table = (&raw const table.0).cast();
    component
}

unsafe extern "C" fn open(
    op: *const abi::gp_op,
    config: *const c_char,
    out: *mut *mut abi::gp_session,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as the ABI says of `open`; the object is replaced by one that holds it.
    unsafe {
        let Some(laced) = laced::config::<Config>(config) else {
            return laced::fail(error, Status::InvalidArgument, "no configuration");
        };
        match laced.mode {
            Mode::SessionNull => return abi::GP_OK,
            Mode::FailsWithoutError => return abi::GP_E_IO,
            Mode::UnknownStatus => return 4711,
            _ => {}
        }
        let code = inner().open.map_or(1, |open| open(op, config, out, error));
        if code == abi::GP_OK {
            *out = Session::into_raw(*out, laced);
        }
        code
    }
}

unsafe extern "C" fn close(session: *mut abi::gp_session) {
    // SAFETY: the host closes an open session once.
    unsafe {
        if let (Some(laced), Some(close)) = (Session::from_raw(session), inner().close) {
            close(laced.inner);
        }
    }
}

unsafe extern "C" fn info(
    session: *mut abi::gp_session,
    op: *const abi::gp_op,
    out: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as the ABI says of `info`.
    unsafe {
        let laced = Session::of(session);
        match laced.config.mode {
            Mode::InfoGarbage => laced::say(out, "{\"serial\": 12"),
            Mode::InfoNull => abi::GP_OK,
            Mode::InfoBytes => laced::say_bytes(out),
            _ => inner()
                .info
                .map_or(1, |info| info(laced.inner, op, out, error)),
        }
    }
}

unsafe extern "C" fn read(
    session: *mut abi::gp_session,
    op: *const abi::gp_op,
    query: *const c_char,
    out: *mut abi::ArrowArrayStream,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as the ABI says of `read`.
    unsafe {
        let laced = Session::of(session);
        let code = inner()
            .read
            .map_or(1, |read| read(laced.inner, op, query, out, error));
        if code == abi::GP_OK {
            rows::lace(laced.config.mode, out);
            stream::lace(laced.config.mode, out);
        }
        code
    }
}

unsafe extern "C" fn read_report(
    session: *mut abi::gp_session,
    op: *const abi::gp_op,
    out: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as the ABI says of `read_report`.
    unsafe {
        let laced = Session::of(session);
        match laced.config.mode {
            Mode::ReportGarbage => laced::say(out, "[]]"),
            Mode::ReportNull => abi::GP_OK,
            Mode::ReportError => laced::fail(error, Status::Io, "the report was lost"),
            _ => inner()
                .read_report
                .map_or(1, |report| report(laced.inner, op, out, error)),
        }
    }
}
