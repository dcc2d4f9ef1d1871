//! Arrow C streams, given and taken.
//!
//! The stock exporter of the arrow crate aborts on a panic or a NUL byte and cannot report a
//! cancellation; this one contains both and speaks in `errno` as the header says.

use std::ffi::{CString, c_char, c_int};
use std::ptr;
use std::sync::Arc;

use arrow::array::{Array, ArrayData, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use glucopipe_abi::{ArrowArray, ArrowArrayStream};

use crate::error::{Error, Result, Status};
use crate::ffi::borrowed_text;
use crate::ffi::guard::{guard, guarded_drop};
use crate::op::text;

/// Where batches come from.
pub trait Batches: Send {
    /// Schema of every batch.
    fn schema(&self) -> SchemaRef;

    /// The next batch, or `None` at the end.
    ///
    /// # Errors
    /// Ends the stream.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>>;
}

struct Exported {
    batches: Box<dyn Batches>,
    error: CString,
    ended: bool,
    /// The error that ended the stream; it is given again to whoever asks on.
    failed: Option<c_int>,
}

/// Hands batches out as a stream; the receiver releases it.
pub fn export(batches: Box<dyn Batches>) -> ArrowArrayStream {
    let exported = Box::new(Exported {
        batches,
        error: CString::default(),
        ended: false,
        failed: None,
    });
    ArrowArrayStream {
        get_schema: Some(get_schema),
        get_next: Some(get_next),
        get_last_error: Some(get_last_error),
        release: Some(release),
        private_data: Box::into_raw(exported).cast(),
    }
}

/// # Safety
/// `stream` is a live stream of [`export`].
unsafe fn exported<'a>(stream: *mut ArrowArrayStream) -> &'a mut Exported {
    // SAFETY: by the caller's word, and calls on one stream do not overlap.
    unsafe { &mut *(*stream).private_data.cast::<Exported>() }
}

impl Exported {
    fn answer(&mut self, outcome: Result<()>) -> c_int {
        match outcome {
            Ok(()) => 0,
            Err(error) => {
                self.failed = Some(error.status.errno());
                self.error = text(&error.message);
                error.status.errno()
            }
        }
    }
}

unsafe extern "C" fn get_schema(
    stream: *mut ArrowArrayStream,
    out: *mut glucopipe_abi::ArrowSchema,
) -> c_int {
    // SAFETY: the receiver calls with a live stream and memory for a schema.
    unsafe {
        let exported = exported(stream);
        let outcome = guard(|| {
            let schema = FFI_ArrowSchema::try_from(exported.batches.schema().as_ref())?;
            ptr::write(out.cast::<FFI_ArrowSchema>(), schema);
            Ok(())
        });
        exported.answer(outcome)
    }
}

unsafe extern "C" fn get_next(stream: *mut ArrowArrayStream, out: *mut ArrowArray) -> c_int {
    // SAFETY: the receiver calls with a live stream and memory for an array.
    unsafe {
        let exported = exported(stream);
        if let Some(errno) = exported.failed {
            return errno;
        }
        let outcome = guard(|| {
            let next = if exported.ended {
                None
            } else {
                exported.batches.next_batch()?
            };
            let array = match next {
                Some(batch) => {
                    same_types(&batch.schema(), &exported.batches.schema())?;
                    FFI_ArrowArray::new(&StructArray::from(batch).into_data())
                }
                None => {
                    exported.ended = true;
                    FFI_ArrowArray::empty()
                }
            };
            ptr::write(out.cast::<FFI_ArrowArray>(), array);
            Ok(())
        });
        exported.answer(outcome)
    }
}

/// Checks a batch against what the stream announced: the receiver takes the buffers for those types,
/// so another type would make it read beyond them.
fn same_types(batch: &SchemaRef, announced: &SchemaRef) -> Result<()> {
    let same = Arc::ptr_eq(batch, announced)
        || (batch.fields().len() == announced.fields().len()
            && batch
                .fields()
                .iter()
                .zip(announced.fields())
                .all(|(has, wants)| {
                    has.name() == wants.name() && has.data_type() == wants.data_type()
                }));
    if same {
        Ok(())
    } else {
        Err(Error::new(
            Status::Internal,
            "a batch has other columns than its stream",
        ))
    }
}

unsafe extern "C" fn get_last_error(stream: *mut ArrowArrayStream) -> *const c_char {
    // SAFETY: the receiver calls with a live stream.
    unsafe { exported(stream) }.error.as_ptr()
}

unsafe extern "C" fn release(stream: *mut ArrowArrayStream) {
    // SAFETY: the receiver releases a live stream once; the box came from `export`.
    unsafe {
        let exported = Box::from_raw((*stream).private_data.cast::<Exported>());
        *stream = ArrowArrayStream::EMPTY;
        guarded_drop(exported);
    }
}

/// A stream of the other side: released when dropped, silent after its end or an error.
pub struct Import {
    stream: ArrowArrayStream,
    schema: SchemaRef,
    ended: bool,
}

// SAFETY: streams carry the tag [serial]: any thread, one call at a time; `&mut self` sees to it.
unsafe impl Send for Import {}

impl Import {
    /// Takes a stream over and reads its schema.
    ///
    /// # Errors
    /// When the stream is empty or has no readable schema.
    ///
    /// # Safety
    /// `stream` is a stream of the C interface or released; nobody else uses it any more.
    pub unsafe fn new(stream: ArrowArrayStream) -> Result<Self> {
        let mut import = Self {
            stream,
            schema: SchemaRef::new(Schema::empty()),
            ended: false,
        };
        // Without `get_next` every read would look empty and complete.
        let whole = import.stream.release.is_some() && import.stream.get_next.is_some();
        let get_schema = import.stream.get_schema.filter(|_| whole);
        let get_schema = get_schema
            .ok_or_else(|| Error::new(Status::Internal, "the stream is released or incomplete"))?;
        let mut schema = FFI_ArrowSchema::empty();
        // SAFETY: the stream is live; the schema is ours.
        let code = unsafe { get_schema(&raw mut import.stream, (&raw mut schema).cast()) };
        if code != 0 {
            return Err(import.error(code));
        }
        // The importer of the arrow crate asserts; a broken schema must not end the thread.
        import.schema = unless_broken("schema", || Ok(SchemaRef::new(Schema::try_from(&schema)?)))?;
        Ok(import)
    }

    /// # Safety
    /// As for [`Import::new`]; `stream` is null or points to a stream that the call takes over.
    pub(crate) unsafe fn take(stream: *mut ArrowArrayStream) -> Result<Self> {
        if stream.is_null() {
            return Err(Error::new(Status::InvalidArgument, "no stream was given"));
        }
        // SAFETY: by the caller's word; the source is left released.
        unsafe { Self::new(ptr::replace(stream, ArrowArrayStream::EMPTY)) }
    }

    fn error(&mut self, code: c_int) -> Error {
        self.ended = true;
        let message = match self.stream.get_last_error {
            // SAFETY: the stream is live; the text is copied at once.
            Some(last) => unsafe { borrowed_text(last(&raw mut self.stream)) },
            None => None,
        };
        let message = message.filter(|message| !message.is_empty());
        Error {
            native: i64::from(code),
            ..Error::new(
                Status::from_errno(code),
                message.unwrap_or_else(|| format!("the stream failed (errno {code})")),
            )
        }
    }
}

impl Batches for Import {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let get_next = self.stream.get_next;
        let Some(get_next) = get_next.filter(|_| !self.ended) else {
            return Ok(None);
        };
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: the stream is live; the array is ours.
        let code = unsafe { get_next(&raw mut self.stream, (&raw mut array).cast()) };
        if code != 0 {
            return Err(self.error(code));
        }
        if array.is_released() {
            self.ended = true;
            return Ok(None);
        }
        let batch = unless_broken("batch", || import_batch(array, &self.schema));
        self.ended = batch.is_err();
        batch.map(Some)
    }
}

/// Runs the importer of the arrow crate, which asserts what it takes for granted: a panic of it is a
/// mistake of the other side.
fn unless_broken<T>(what: &str, import: impl FnOnce() -> Result<T>) -> Result<T> {
    guard(|| Ok(import())).unwrap_or_else(|panic| {
        let Error { message, .. } = panic;
        Err(Error::new(
            Status::Internal,
            format!("broken {what}: {message}"),
        ))
    })
}

/// Takes a batch in: shape, then buffers, then every value.
fn import_batch(array: FFI_ArrowArray, schema: &SchemaRef) -> Result<RecordBatch> {
    let broken = |what: String| Error::new(Status::Internal, format!("broken batch: {what}"));
    let data_type = DataType::Struct(schema.fields().clone());
    let raw = (&raw const array).cast::<ArrowArray>();
    // SAFETY: the array is live until it is imported below.
    unsafe { check_shape(raw, &data_type) }.map_err(|what| broken(what.to_owned()))?;
    // SAFETY: the array came from the stream with the schema it announced and has its shape. That
    // buffers are as long as they should be is the other side's word.
    let data = unsafe { from_ffi_and_data_type(array, data_type) }
        .map_err(|error| broken(error.to_string()))?;
    let has_nulls = |column: &ArrayData| column.nulls().is_some_and(|nulls| nulls.null_count() > 0);
    let columns = schema.fields().iter().zip(data.child_data());
    let mut empty = columns.filter(|(field, column)| !field.is_nullable() && has_nulls(column));
    if let Some((field, _)) = empty.next() {
        let name = field.name();
        return Err(broken(format!(
            "column `{name}` is null in a row, and may not be"
        )));
    }
    data.validate_full()
        .map_err(|error| broken(error.to_string()))?;
    if data.null_count() > 0 {
        return Err(broken("null rows".into()));
    }
    let columns = StructArray::from(data).into_parts().1;
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| broken(error.to_string()))
}

/// Most rows a batch may have.
const ROW_LIMIT: i64 = 1 << 24;

/// Checks what the importer takes for granted: counts, and pointers that are not null.
///
/// # Safety
/// `array` points to a live array whose pointers are null or valid.
unsafe fn check_shape(
    array: *const ArrowArray,
    data_type: &DataType,
) -> std::result::Result<(), &'static str> {
    // SAFETY: by the caller's word.
    let array = unsafe { &*array };
    if array.release.is_none() {
        return Err("a child is released");
    }
    let rows = 0..=ROW_LIMIT;
    if !rows.contains(&array.length) || !rows.contains(&array.offset) {
        return Err("a length or offset out of range");
    }
    if !(0..=3).contains(&array.n_buffers) || (array.n_buffers > 0 && array.buffers.is_null()) {
        return Err("buffers are missing");
    }
    let children: Vec<&DataType> = match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        _ => Vec::new(),
    };
    if usize::try_from(array.n_children) != Ok(children.len())
        || (!children.is_empty() && array.children.is_null())
    {
        return Err("not as many columns as the schema");
    }
    for (index, child_type) in children.into_iter().enumerate() {
        // SAFETY: `n_children` pointers are there by the interface's word.
        let child = unsafe { *array.children.add(index) };
        if child.is_null() {
            return Err("a column is missing");
        }
        // SAFETY: not null, and alive as long as its parent.
        unsafe { check_shape(child, child_type)? };
    }
    if matches!(data_type, DataType::Utf8 | DataType::Binary) && array.length + array.offset > 0 {
        // The importer takes the last offset for the length of the values.
        let last = usize::try_from(array.length + array.offset).unwrap_or(0);
        // SAFETY: the buffers are there, and the offsets are one more than the rows by the
        // interface's word.
        let last = unsafe {
            let offsets = (array.n_buffers == 3).then(|| (*array.buffers.add(1)).cast::<i32>());
            offsets
                .filter(|offsets| !offsets.is_null())
                .map(|offsets| offsets.add(last).read_unaligned())
        };
        if last.is_none_or(|last| last < 0) {
            return Err("offsets are missing or negative");
        }
    }
    match data_type {
        DataType::Dictionary(..) if array.dictionary.is_null() => Err("a dictionary is missing"),
        // SAFETY: not null, and alive as long as its parent.
        DataType::Dictionary(_, values) => unsafe { check_shape(array.dictionary, values) },
        _ => Ok(()),
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        if let Some(release) = self.stream.release {
            // SAFETY: the stream is live and released once.
            unsafe { release(&raw mut self.stream) };
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int32Array;
    use arrow::datatypes::Field;

    use super::*;

    struct Script(Vec<Result<Option<i32>>>);

    impl Batches for Script {
        fn schema(&self) -> SchemaRef {
            Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, false)]))
        }
        fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
            assert!(!self.0.is_empty(), "asked after the end");
            let Some(n) = self.0.remove(0)? else {
                return Ok(None);
            };
            assert_ne!(n, 13, "unlucky");
            let column = Arc::new(Int32Array::from(vec![n]));
            Ok(Some(RecordBatch::try_new(self.schema(), vec![column])?))
        }
    }

    fn import(script: Vec<Result<Option<i32>>>) -> Import {
        // SAFETY: a stream of our own.
        unsafe { Import::new(export(Box::new(Script(script)))) }.unwrap()
    }

    #[test]
    fn batches_cross_and_the_end_is_the_end() {
        let mut stream = import(vec![Ok(Some(1)), Ok(None)]);
        assert_eq!(stream.schema().field(0).name(), "n");
        assert_eq!(stream.next_batch().unwrap().unwrap().num_rows(), 1);
        for _ in 0..3 {
            assert!(stream.next_batch().unwrap().is_none());
        }
    }

    #[test]
    fn an_error_keeps_its_status_and_ends_the_stream() {
        let lost = Error::new(Status::Lost, "the meter\0 went away");
        let mut stream = import(vec![Ok(Some(1)), Err(lost)]);
        stream.next_batch().unwrap();
        let error = stream.next_batch().unwrap_err();
        assert_eq!(
            (error.status, error.message.as_str()),
            (Status::Lost, "the meter went away")
        );
        assert!(stream.next_batch().unwrap().is_none());
    }

    #[test]
    fn a_cancellation_can_be_told_from_a_failure() {
        let error = import(vec![Err(Error::cancelled())])
            .next_batch()
            .unwrap_err();
        assert_eq!(error.status, Status::Cancelled);
    }

    #[test]
    fn a_panic_is_an_error() {
        let error = import(vec![Ok(Some(13))]).next_batch().unwrap_err();
        assert!(error.message.contains("unlucky"), "{error}");
    }

    #[test]
    fn a_batch_of_other_types_never_crosses() {
        struct Liar;
        impl Batches for Liar {
            fn schema(&self) -> SchemaRef {
                Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
            }
            fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
                Script(vec![Ok(Some(1))]).next_batch()
            }
        }
        // SAFETY: a stream of our own.
        let mut stream = unsafe { Import::new(export(Box::new(Liar))) }.unwrap();
        let error = stream.next_batch().unwrap_err();
        assert!(error.message.contains("other columns"), "{error}");
    }

    #[test]
    fn a_released_stream_is_refused() {
        // SAFETY: a released stream is allowed.
        assert!(unsafe { Import::new(ArrowArrayStream::EMPTY) }.is_err());
    }
}
