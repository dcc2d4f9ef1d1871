//! The columns of `reading/1`: what a driver fills, and what every transform and exporter receives.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Version of the reading schema, the value of the metadata [`SCHEMA_KEY`].
pub const VERSION: &str = glucopipe_abi::GP_READING_SCHEMA;
/// Metadata key of the schema version.
pub const SCHEMA_KEY: &str = "glucopipe.schema";
/// Metadata key of the device description, a JSON object.
pub const DEVICE_KEY: &str = "glucopipe.device";
/// Metadata key that says where the unit of a field is.
pub const UNIT_KEY: &str = "glucopipe.unit";
/// Metadata of a stream for a snapshot that has no readings on purpose: transforms leave out all that is known, so
/// what is there is to become empty. Without it no reading is no reason to touch what is there.
pub const EMPTIED_KEY: &str = "glucopipe.emptied";
/// Value of [`EMPTIED_KEY`].
pub const EMPTIED: &str = "left out";
/// Value of [`UNIT_KEY`] on the field `value`: in the column `unit`, row by row.
pub const UNIT_IN_COLUMN: &str = "column:unit";

/// Who fills a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filler {
    /// The driver.
    Driver,
    /// The host.
    Host,
}

/// Physical type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text that repeats: a dictionary of UTF-8 with 32-bit index.
    Words,
    /// Text that does not repeat: UTF-8.
    Text,
    /// A moment: microseconds UTC.
    Instant,
    /// Civil time: microseconds without a zone.
    Civil,
    /// A double.
    Number,
    /// A 16-bit integer.
    Small,
    /// A 64-bit integer.
    Integer,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// The Arrow type.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Words => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            Self::Text => DataType::Utf8,
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Civil => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Number => DataType::Float64,
            Self::Small => DataType::Int16,
            Self::Integer => DataType::Int64,
            Self::Bytes => DataType::Binary,
        }
    }

    /// Whether a column of this kind may come as that Arrow type from a plugin: exactly ours, and for
    /// text plain or as a dictionary with any integer index.
    pub fn accepts(self, data_type: &DataType) -> bool {
        match (self, data_type) {
            (Self::Words | Self::Text, DataType::Utf8) => true,
            (Self::Words | Self::Text, DataType::Dictionary(index, value)) => {
                index.is_integer() && **value == DataType::Utf8
            }
            _ => *data_type == self.data_type(),
        }
    }
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name.
    pub name: &'static str,
    /// Physical type.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
    /// Who fills it.
    pub filler: Filler,
    /// What it means, for data dictionaries.
    pub meaning: &'static str,
    /// The words allowed, where they are a closed set.
    pub words: &'static [&'static str],
}

const fn column(
    name: &'static str,
    kind: Kind,
    nullable: bool,
    filler: Filler,
    meaning: &'static str,
    words: &'static [&'static str],
) -> Column {
    Column {
        name,
        kind,
        nullable,
        filler,
        meaning,
        words,
    }
}

/// All columns of `reading/1`, in their order.
pub const COLUMNS: &[Column] = {
    use Filler::{Driver, Host};
    use Kind::{Bytes, Civil, Instant, Integer, Number, Small, Text, Words};
    &[
        column(
            "reading_id",
            Text,
            false,
            Host,
            "UUIDv5 of driver family, meter serial and record key",
            &[],
        ),
        column(
            "time",
            Instant,
            true,
            Host,
            "when it was measured; null until a clock transform resolved it",
            &[],
        ),
        column(
            "local_time",
            Civil,
            false,
            Driver,
            "what the meter showed",
            &[],
        ),
        column(
            "utc_offset_min",
            Small,
            true,
            Host,
            "minutes east of UTC of `time`",
            &[],
        ),
        column(
            "time_quality",
            Words,
            false,
            Host,
            "how `time` was found",
            &[
                "unresolved",
                "zone",
                "zone+drift",
                "ambiguous",
                "nonexistent",
            ],
        ),
        column(
            "kind",
            Words,
            false,
            Driver,
            "what was measured or noted",
            &["glucose", "ketone", "control", "insulin", "carbs"],
        ),
        column(
            "value",
            Number,
            false,
            Driver,
            "in `unit`; the limit itself where `range` is not `in`",
            &[],
        ),
        column(
            "unit",
            Words,
            false,
            Driver,
            "unit of `value` and `range_limit`, UCUM",
            &[
                "mg/dL",
                "mmol/L",
                "g",
                "[iU]",
                "{points}",
                "{choices}",
                "{unknown}",
            ],
        ),
        column(
            "range",
            Words,
            false,
            Driver,
            "inside or beyond the measuring range",
            &["in", "below", "above"],
        ),
        column(
            "range_limit",
            Number,
            true,
            Driver,
            "the meter's limit, when `range` is not `in`",
            &[],
        ),
        column(
            "meal",
            Words,
            true,
            Driver,
            "in relation to a meal",
            &["before", "after", "fasting"],
        ),
        column(
            "reference",
            Words,
            true,
            Driver,
            "what the number refers to",
            &["plasma", "whole_blood", "capillary", "deproteinised"],
        ),
        column(
            "notes",
            Words,
            true,
            Driver,
            "decoded markers in human words",
            &[],
        ),
        column(
            "markers",
            Words,
            true,
            Driver,
            "the meter's own markers, verbatim",
            &[],
        ),
        column("raw_value", Text, false, Driver, "the value verbatim", &[]),
        column(
            "raw_unit",
            Words,
            false,
            Driver,
            "the unit as sent, as UCUM",
            &[],
        ),
        column(
            "record_key",
            Text,
            false,
            Driver,
            "the meter's stable key of the record",
            &[],
        ),
        column(
            "device_model",
            Words,
            false,
            Host,
            "model of the meter",
            &[],
        ),
        column(
            "device_serial",
            Words,
            false,
            Host,
            "serial of the meter",
            &[],
        ),
        column(
            "device_firmware",
            Words,
            false,
            Host,
            "firmware of the meter",
            &[],
        ),
        column(
            "driver",
            Words,
            false,
            Host,
            "name/version of the driver",
            &[],
        ),
        column("person", Words, true, Host, "whose meter it is", &[]),
        column(
            "clock_offset_s",
            Integer,
            true,
            Host,
            "meter clock minus this computer's at the read, seconds",
            &[],
        ),
        column(
            "read_at",
            Instant,
            false,
            Host,
            "when the meter was read",
            &[],
        ),
        column("raw", Bytes, true, Driver, "the frame as it came", &[]),
    ]
};

/// The optional column of a driver's stream that goes to the run report, not to sinks.
pub const ANNOTATIONS: Column = column(
    "annotations",
    Kind::Words,
    true,
    Filler::Driver,
    "words for the run report",
    &[],
);

/// The description of a column.
pub fn column_named(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

fn field(column: &Column) -> Field {
    let field = Field::new(column.name, column.kind.data_type(), column.nullable);
    if column.name == "value" {
        field.with_metadata(HashMap::from([(UNIT_KEY.into(), UNIT_IN_COLUMN.into())]))
    } else {
        field
    }
}

/// Schema of what transforms and exporters receive.
pub fn readings() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields: Vec<Field> = COLUMNS.iter().map(field).collect();
        let metadata = HashMap::from([(SCHEMA_KEY.into(), VERSION.into())]);
        Arc::new(Schema::new_with_metadata(fields, metadata))
    });
    SCHEMA.clone()
}

/// Whether a stream with this schema empties what is there, see [`EMPTIED_KEY`].
pub fn is_emptied(schema: &Schema) -> bool {
    schema.metadata().contains_key(EMPTIED_KEY)
}

/// Schema of a driver's stream, with the device description as JSON.
pub fn driver_readings(device: String) -> SchemaRef {
    let fields: Vec<Field> = COLUMNS
        .iter()
        .filter(|column| column.filler == Filler::Driver)
        .chain([&ANNOTATIONS])
        .map(field)
        .collect();
    let metadata = HashMap::from([
        (SCHEMA_KEY.into(), VERSION.into()),
        (DEVICE_KEY.into(), device),
    ]);
    Arc::new(Schema::new_with_metadata(fields, metadata))
}
