//! No panic leaves a plugin: each call runs inside [`guard`].
//!
//! A panic poisons the object it happened in; afterwards only closing it is allowed. The panic text
//! goes into the error, not to standard error, which belongs to the host.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::error::{Error, Result, Status};

thread_local! {
    // Const and without a destructor: nothing runs at thread exit.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Silences panics inside guarded calls of this library, and only those: the library has its own copy
/// of the standard library, but a statically linked one shares it with its host.
fn install_hook() {
    static INSTALL: Once = Once::new();
    // The hook cannot be changed while a panic is under way; the next call will do it.
    if std::thread::panicking() {
        return;
    }
    INSTALL.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if DEPTH.get() == 0 {
                previous(info);
            }
        }));
    });
}

/// Runs plugin code; a panic becomes [`Status::Internal`].
///
/// # Errors
/// Those of the code, or the panic.
pub fn guard<T>(code: impl FnOnce() -> Result<T>) -> Result<T> {
    watch(code).unwrap_or_else(Err)
}

/// Runs plugin code and tells its outcome from a panic.
///
/// # Errors
/// The panic, as [`Status::Internal`].
pub(crate) fn watch<T>(code: impl FnOnce() -> T) -> Result<T> {
    install_hook();
    DEPTH.set(DEPTH.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(code));
    DEPTH.set(DEPTH.get() - 1);
    outcome.map_err(|payload| {
        let error = Error::new(
            Status::Internal,
            format!("panicked: {}", panic_text(&*payload)),
        );
        // Dropping the payload could panic again.
        std::mem::forget(payload);
        error
    })
}

/// Drops a plugin's object; a panic in there is swallowed, because closing never fails.
pub fn guarded_drop<T>(object: T) {
    let _ = guard(|| {
        drop(object);
        Ok(())
    });
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

/// A plugin's object with its poison.
pub struct Guarded<T> {
    object: T,
    poisoned: bool,
}

impl<T> Guarded<T> {
    /// Wraps a healthy object.
    pub fn new(object: T) -> Self {
        Self {
            object,
            poisoned: false,
        }
    }

    /// Runs code on the object unless it is poisoned.
    ///
    /// # Errors
    /// Those of the code, or the panic now or earlier.
    pub fn run<'g, R>(&'g mut self, code: impl FnOnce(&'g mut T) -> Result<R>) -> Result<R> {
        self.healthy()?;
        let object = &mut self.object;
        watch(move || code(object)).unwrap_or_else(|panic| {
            self.poisoned = true;
            Err(panic)
        })
    }

    /// Poisons the object from outside, for a panic in what borrowed it.
    pub(crate) fn poison(&mut self) {
        self.poisoned = true;
    }

    /// # Errors
    /// When the object is poisoned.
    pub(crate) fn healthy(&self) -> Result<()> {
        if self.poisoned {
            return Err(Error::new(
                Status::Internal,
                "panicked earlier; its state is unknown",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_poisons() {
        let mut object = Guarded::new(5);
        let error = object
            .run(|_| -> Result<()> { panic!("at {}", 7) })
            .unwrap_err();
        assert_eq!(
            (error.status, error.message.as_str()),
            (Status::Internal, "panicked: at 7")
        );
        let error = object.run(|value| Ok(*value)).unwrap_err();
        assert!(error.message.contains("earlier"));
    }

    #[test]
    fn an_error_does_not_poison() {
        let mut object = Guarded::new(5);
        assert!(
            object
                .run(|_| -> Result<()> { Err(Error::cancelled()) })
                .is_err()
        );
        assert_eq!(object.run(|value| Ok(*value)).unwrap(), 5);
    }

    #[test]
    fn a_panic_while_dropping_is_contained() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        guarded_drop(Bomb);
    }
}
