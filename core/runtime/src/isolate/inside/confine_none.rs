//! What a child gives up where nothing but limits is known.

use std::path::Path;

use crate::isolate::rights::Rights;

/// Nothing is given up here.
pub(super) fn before_loading(_rights: &Rights, _library: &Path, _miss: &dyn Fn(&str, String)) {}

/// Nothing is given up here.
pub(super) fn after_loading(_rights: &Rights) {}
