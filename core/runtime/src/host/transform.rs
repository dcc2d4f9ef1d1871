//! Calling transform plugins. A transform is closed when its owner is dropped.

use std::ptr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use glucopipe_abi as abi;
use glucopipe_sdk::ffi::call;
use glucopipe_sdk::schema::column_named;
use glucopipe_sdk::stream::{Batches, Import, export};
use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use super::call::{config_text, lacks, named};
use super::operation::Lent;
use super::weight::Weight;
use crate::cancel::Cancel;
use crate::isolate::{Call, Child};
use crate::plugin::Component;

/// Most batches without rows that a transform may give.
const EMPTY_LIMIT: usize = 1000;

/// A configured transform plugin.
pub struct OpenTransform {
    filter: Filter,
    component: Arc<Component>,
    // Declared last: the operation outlives the filter.
    op: Arc<dyn Lent>,
}

enum Filter {
    Here(*mut abi::gp_filter),
    Apart(Box<Child>),
}

// SAFETY: transforms carry the tag [serial]: any thread, one call at a time.
unsafe impl Send for OpenTransform {}

impl OpenTransform {
    /// Configures the transform.
    ///
    /// # Errors
    /// As the transform says.
    pub fn open(
        component: Arc<Component>,
        op: Arc<dyn Lent>,
        config: &Value,
    ) -> Result<Self, Error> {
        if let Some(apart) = component.apart() {
            let child = Child::open(apart, op.clone(), named(&component, config))?;
            return Ok(Self {
                filter: Filter::Apart(Box::new(child)),
                component,
                op,
            });
        }
        let open = component.transform().and_then(|table| table.open);
        let open = open.ok_or_else(|| lacks("open"))?;
        let config = config_text(config);
        let mut filter = ptr::null_mut();
        // SAFETY: operation and text are alive; out-parameters are zeroed and ours.
        call(|error| unsafe { open(op.raw(), config.as_ptr(), &raw mut filter, error) })?;
        if filter.is_null() {
            return Err(Error::new(Status::Internal, "it opened no transform"));
        }
        Ok(Self {
            filter: Filter::Here(filter),
            component,
            op,
        })
    }

    /// Applies the transform to a stream and takes all of its output, at most `row_limit` rows.
    ///
    /// # Errors
    /// As the transform says, or when it did not take the stream over. Such a stream is leaked: the
    /// transform may read and release it through a copy.
    pub fn apply(
        &mut self,
        readings: Box<dyn Batches>,
        row_limit: usize,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), Error> {
        let cancel = self.op.cancel();
        let filter = match &mut self.filter {
            Filter::Here(filter) => *filter,
            Filter::Apart(child) => {
                let (_, head) = child.feed(Call::Apply { row_limit }, readings)?;
                return take_all(&mut child.stream(head)?, row_limit, cancel);
            }
        };
        let apply = self.component.transform().and_then(|table| table.apply);
        let apply = apply.ok_or_else(|| lacks("apply"))?;
        let mut input = export(readings);
        let mut output = abi::ArrowArrayStream::EMPTY;
        let applied = call(|error| {
            // SAFETY: transform and operation are alive; the transform takes the input over.
            unsafe {
                apply(
                    filter,
                    self.op.raw(),
                    &raw mut input,
                    &raw mut output,
                    error,
                )
            }
        });
        // SAFETY: ours now, on success; on failure it is released or zeroed, and only then released.
        let output = unsafe { Import::new(output) };
        applied?;
        let mut output = output?;
        if input.release.is_some() {
            let what = "it did not take the stream of readings over";
            return Err(Error::new(Status::Internal, what));
        }
        take_all(&mut output, row_limit, cancel)
    }
}

/// Takes the whole output of a transform.
fn take_all(
    output: &mut dyn Batches,
    row_limit: usize,
    cancel: &Cancel,
) -> Result<(SchemaRef, Vec<RecordBatch>), Error> {
    let schema = output.schema();
    check_types(&schema)?;
    let (mut batches, mut rows, mut weight) = (Vec::new(), 0, Weight::default());
    while let Some(batch) = output.next_batch()? {
        if cancel.is_set() {
            return Err(Error::cancelled());
        }
        rows += batch.num_rows();
        if rows > row_limit {
            return Err(Error::new(
                Status::Internal,
                "it gives more rows than it was given",
            ));
        }
        if batches.len() > row_limit + EMPTY_LIMIT {
            return Err(Error::new(Status::Internal, "its stream does not end"));
        }
        let weighed = weight.add(&batch);
        weighed.map_err(|what| Error::new(Status::Internal, what))?;
        batches.push(batch);
    }
    Ok((schema, batches))
}

/// Checks the columns of a transform before any of its buffers is looked at: the importer takes buffers
/// for what the schema says.
fn check_types(schema: &SchemaRef) -> Result<(), Error> {
    let broken = |what: String| Err(Error::new(Status::Internal, what));
    for field in schema.fields() {
        match column_named(field.name()) {
            Some(column) if column.kind.accepts(field.data_type()) => {}
            Some(_) => return broken(format!("it changed the type of column `{}`", field.name())),
            None => return broken(format!("it added the column `{}`", field.name())),
        }
    }
    Ok(())
}

impl Drop for OpenTransform {
    fn drop(&mut self) {
        // A child closes its own.
        let Filter::Here(filter) = self.filter else {
            return;
        };
        if let Some(close) = self.component.transform().and_then(|table| table.close) {
            // SAFETY: open, its streams are released because `apply` drops them, closed once.
            unsafe { close(filter) };
        }
    }
}
