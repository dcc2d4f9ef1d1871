//! A driver behind its C table, in a host that behaves, and in one that does not.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

#[path = "native/meter.rs"]
mod meter;

use std::ffi::CStr;
use std::ptr;

use glucopipe_sdk::abi::{self, gp_driver, gp_error, gp_string};
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::serde_json::{Value, json};
use glucopipe_sdk::testing::TestHost;
use glucopipe_sdk::{Status, export};
use meter::{Meter, RECORDS, host};

fn table() -> gp_driver {
    let component = export::driver::<Meter>().0;
    // SAFETY: the component of a driver has the table of a driver.
    unsafe { abi::read_table(component.table.cast()) }.unwrap()
}

fn fault(fault: &str) -> Value {
    json!({ "fault": fault })
}

#[test]
fn a_meter_is_read_from_open_to_close() {
    let (host, heard) = host();
    let host = host.with_utc_us(77);
    let mut session = host.open_driver::<Meter>(&json!({})).unwrap();
    let info = session.info().unwrap();
    assert_eq!(
        (info.serial.as_str(), info.clock_read_us),
        ("M-0001", Some(77))
    );
    assert_eq!(session.report().unwrap_err().status, Status::Precondition);

    let read = session.read().unwrap();
    assert_eq!((read.rows(), &read.error), (RECORDS as usize, &None));
    assert_eq!(read.device.serial, "M-0001");
    let keys = Texts::of(&read.batches[0], "record_key").unwrap();
    assert_eq!(keys.get(0), Some("glucose|1|202606010800"));
    let report = read.report.unwrap();
    assert!(report.complete && report.reasons.is_empty(), "{report:?}");
    assert_eq!(heard.lock().unwrap().last().unwrap(), "bye");
    assert_eq!(host.progress().len(), RECORDS as usize);
    assert_eq!(host.progress()[0].step, "reading");

    // The meter is idle again: another read works.
    assert_eq!(session.read().unwrap().rows(), RECORDS as usize);
    assert!(host.link_is_open());
    drop(session);
    assert!(!host.link_is_open());
}

#[test]
fn the_clock_crosses_and_what_a_driver_lacks_is_a_null_slot() {
    let (host, _) = host();
    let mut session = host.open_driver::<Meter>(&json!({})).unwrap();
    assert_eq!(session.clock().unwrap().resolution_s, 60);
    let noon = "2001-02-03T04:05:06".parse().unwrap();
    session.set_clock(noon).unwrap();
    assert_eq!(session.clock().unwrap().local, noon);
    assert!(table().erase.is_none() && table().probe.is_none());
    assert_eq!(
        session.erase("M-0001").unwrap_err().status,
        Status::Unsupported
    );
}

#[test]
fn an_error_keeps_status_key_and_flags() {
    let (host, _) = host();
    let error = host.open_driver::<Meter>(&fault("key open")).err().unwrap();
    assert_eq!(error.status, Status::InvalidArgument);
    assert_eq!(error.key.as_deref(), Some("fault"));
    assert!(error.retryable);
    assert_eq!(error.message, "no such fault");
    // Without a device the host's own error comes through.
    let error = TestHost::new()
        .open_driver::<Meter>(&json!({}))
        .err()
        .unwrap();
    assert_eq!(error.status, Status::NotFound);
}

#[test]
fn readings_before_an_error_come_first() {
    let (host, heard) = host();
    let mut session = host.open_driver::<Meter>(&fault("error next")).unwrap();
    let read = session.read().unwrap();
    assert_eq!(read.rows(), 2);
    let error = read.error.unwrap();
    assert_eq!(
        (error.status, error.message.as_str()),
        (Status::Protocol, "wrong answer in next")
    );
    assert!(!read.report.unwrap().complete);
    assert_eq!(heard.lock().unwrap().last().unwrap(), "bye");
    // An error does not poison.
    session.info().unwrap();
}

#[test]
fn a_stream_released_early_ends_the_conversation_once() {
    let (host, heard) = host();
    let mut session = host.open_driver::<Meter>(&json!({})).unwrap();
    let stream = session.stream().unwrap();
    assert_eq!(stream.device().unwrap().serial, "M-0001");
    drop(stream);
    assert_eq!(*heard.lock().unwrap(), ["?", "bye"]);
    assert_eq!(host.closing_calls(), 1);
    assert_eq!(session.report().unwrap().expected, Some(RECORDS.into()));
}

#[test]
fn a_cancelled_stream_says_so_and_still_leaves_the_meter_in_order() {
    let (host, heard) = host();
    let mut session = host.open_driver::<Meter>(&json!({})).unwrap();
    // Each exchange asks three times: once itself, and once for each call of the link.
    host.cancel_after(3 + 3 * 2 + 1);
    let read = session.read().unwrap();
    assert_eq!(read.rows(), 2);
    let error = read.error.unwrap();
    assert_eq!(error.status, Status::Cancelled);
    assert_eq!(error.native, i64::from(abi::errno::ECANCELED));
    assert_eq!(heard.lock().unwrap().last().unwrap(), "bye");
    assert_eq!(read.report.unwrap().reasons, [""; 0]);
}

#[test]
fn a_panic_poisons_its_session_and_no_other() {
    let (healthy_host, _) = host();
    let mut healthy = healthy_host.open_driver::<Meter>(&json!({})).unwrap();

    let (host, _) = host();
    let error = host
        .open_driver::<Meter>(&fault("panic open"))
        .err()
        .unwrap();
    assert_eq!(
        (error.status, error.message.as_str()),
        (Status::Internal, "panicked: in open")
    );

    for place in ["info", "clock", "read", "device"] {
        let mut session = host
            .open_driver::<Meter>(&fault(&format!("panic {place}")))
            .unwrap();
        let outcome = match place {
            "info" => session.info().map(drop),
            "clock" => session.clock().map(drop),
            _ => session.read().map(drop),
        };
        let error = outcome.unwrap_err();
        assert_eq!(error.status, Status::Internal, "{place}");
        assert_eq!(error.message, format!("panicked: in {place}"));
        let error = session.clock().unwrap_err();
        assert_eq!((place, error.status), (place, Status::Internal));
        assert!(error.message.contains("earlier"), "{place}: {error}");
    }
    assert_eq!(healthy.read().unwrap().rows(), RECORDS as usize);
}

#[test]
fn a_panic_inside_a_read_delivers_what_came_before_and_poisons() {
    for (place, rows) in [("next", 2), ("finish", RECORDS as usize)] {
        let (host, heard) = host();
        let mut session = host
            .open_driver::<Meter>(&fault(&format!("panic {place}")))
            .unwrap();
        let read = session.read().unwrap();
        assert_eq!(read.rows(), rows, "{place}");
        let told = format!("panicked: in {place}");
        assert_eq!(read.error.unwrap().message, told);
        let error = read.report.unwrap_err();
        assert_eq!((error.status, error.message), (Status::Internal, told));
        assert_eq!(
            session.info().unwrap_err().status,
            Status::Internal,
            "{place}"
        );
        // After a panic in `next` the meter was still told good bye.
        let last = heard.lock().unwrap().last().unwrap().clone();
        assert_eq!(last == "bye", place == "next");
    }
}

#[test]
fn a_panic_while_a_stream_is_released_or_a_session_closed_is_contained() {
    let (host, _) = host();
    let mut session = host.open_driver::<Meter>(&fault("panic finish")).unwrap();
    drop(session.stream().unwrap());
    assert_eq!(session.report().unwrap_err().message, "panicked: in finish");
    drop(session);
    let session = host.open_driver::<Meter>(&fault("panic drop")).unwrap();
    drop(session);
    // The link was closed all the same.
    assert!(!host.link_is_open());
}

#[test]
fn null_errors_are_accepted_everywhere() {
    let (host, _) = host();
    let (op, table, none) = (host.raw_op(), table(), ptr::null_mut::<gp_error>());
    let mut session = ptr::null_mut();
    let mut text = gp_string::EMPTY;
    let mut stream = abi::ArrowArrayStream::EMPTY;
    let mut clock = abi::gp_clock {
        local_seconds: i64::MAX,
        utc_offset_seconds: 0,
        resolution_seconds: 0,
    };
    // SAFETY: all pointers are ours, alive and zeroed, or null where that is the test.
    unsafe {
        let open = table.open.unwrap();
        assert_eq!(
            open(op, c"{\"fault\":1}".as_ptr(), &raw mut session, none),
            abi::GP_E_INVALID_ARGUMENT
        );
        assert_eq!(
            open(ptr::null(), c"{}".as_ptr(), &raw mut session, none),
            abi::GP_E_INTERNAL
        );
        assert!(session.is_null());
        assert_eq!(
            open(
                op,
                c"{\"fault\":\"panic info\"}".as_ptr(),
                &raw mut session,
                none
            ),
            0
        );
        let (info, read, report) = (
            table.info.unwrap(),
            table.read.unwrap(),
            table.read_report.unwrap(),
        );
        assert_eq!(
            report(session, op, &raw mut text, none),
            abi::GP_E_PRECONDITION
        );
        assert_eq!(
            table.set_clock.unwrap()(session, op, &raw const clock, none),
            abi::GP_E_INVALID_ARGUMENT
        );
        assert_eq!(
            table.set_clock.unwrap()(session, op, ptr::null(), none),
            abi::GP_E_INVALID_ARGUMENT
        );
        assert_eq!(info(session, op, &raw mut text, none), abi::GP_E_INTERNAL);
        assert_eq!(
            read(session, op, ptr::null(), &raw mut stream, none),
            abi::GP_E_INTERNAL
        );
        assert_eq!(
            table.get_clock.unwrap()(session, op, &raw mut clock, none),
            abi::GP_E_INTERNAL
        );
        // A session that is missing is an error, not a crash.
        let nobody = ptr::null_mut();
        assert_eq!(
            info(nobody, op, &raw mut text, none),
            abi::GP_E_INVALID_ARGUMENT
        );
        assert_eq!(
            read(nobody, op, ptr::null(), &raw mut stream, none),
            abi::GP_E_INVALID_ARGUMENT
        );
        assert!(text.data.is_null() && text.release.is_none() && stream.release.is_none());
        let close = table.close.unwrap();
        close(session);
        close(nobody);
    }
}

#[test]
fn a_configuration_that_is_none_is_refused() {
    let (host, _) = host();
    let open = table().open.unwrap();
    let long = format!("\"{}\"\0", "x".repeat(65 << 20));
    let long = CStr::from_bytes_with_nul(long.as_bytes()).unwrap();
    let configs = [
        (ptr::null(), "the configuration is missing"),
        (c"\xff\xfe".as_ptr(), "not UTF-8"),
        (c"".as_ptr(), "is not a JSON object"),
        (c"{".as_ptr(), "is not JSON"),
        (c"{\"secret\":\"hunter2\"}".as_ptr(), "does not fit"),
        (c"[\"hunter2\"]".as_ptr(), "is not a JSON object"),
        (long.as_ptr(), "too long"),
    ];
    for (config, told) in configs {
        let (mut session, mut error) = (ptr::null_mut(), gp_error::EMPTY);
        // SAFETY: all pointers are ours, alive and zeroed, or null where that is the test.
        let (code, message) = unsafe {
            let code = open(host.raw_op(), config, &raw mut session, &raw mut error);
            assert_ne!(code, abi::GP_OK, "expected: {told}");
            let message = CStr::from_ptr(error.message).to_str().unwrap().to_owned();
            error.release.unwrap()(&raw mut error);
            (code, message)
        };
        assert!(session.is_null() && error.release.is_none() && error.message.is_null());
        assert_eq!(code, abi::GP_E_INVALID_ARGUMENT);
        assert!(message.contains(told), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_query_that_is_none_is_refused_by_name() {
    let (host, _) = host();
    let (table, mut session) = (table(), ptr::null_mut());
    // SAFETY: all pointers are ours, alive and zeroed.
    unsafe {
        assert_eq!(
            table.open.unwrap()(
                host.raw_op(),
                c"{}".as_ptr(),
                &raw mut session,
                ptr::null_mut()
            ),
            0
        );
        let (mut stream, mut error) = (abi::ArrowArrayStream::EMPTY, gp_error::EMPTY);
        let read = table.read.unwrap();
        let code = read(
            session,
            host.raw_op(),
            c"\xff".as_ptr(),
            &raw mut stream,
            &raw mut error,
        );
        assert_eq!(code, abi::GP_E_INVALID_ARGUMENT);
        assert!(
            CStr::from_ptr(error.message)
                .to_str()
                .unwrap()
                .starts_with("the query")
        );
        error.release.unwrap()(&raw mut error);
        table.close.unwrap()(session);
    }
}

#[test]
fn a_host_without_devices_or_with_a_short_table_is_an_error() {
    unsafe extern "C" fn nothing(
        _: *const abi::gp_host,
        _: *const std::ffi::c_char,
    ) -> *const std::ffi::c_void {
        ptr::null()
    }
    let size = |bytes: usize| u32::try_from(bytes).unwrap();
    let host = abi::gp_host {
        struct_size: size(size_of::<abi::gp_host>()),
        abi_minor: 0,
        host_data: ptr::null_mut(),
        name: c"bare".as_ptr(),
        version: c"0".as_ptr(),
        log: None,
        get_extension: Some(nothing),
    };
    let mut op = abi::gp_op {
        struct_size: size(size_of::<abi::gp_op>()),
        reserved: 0,
        host: &raw const host,
        host_data: ptr::null_mut(),
        cancelled: None,
        progress: None,
    };
    let open = table().open.unwrap();
    let mut session = ptr::null_mut();
    // SAFETY: all pointers are ours and alive.
    unsafe {
        let code = open(
            &raw const op,
            c"{}".as_ptr(),
            &raw mut session,
            ptr::null_mut(),
        );
        assert_eq!(code, abi::GP_E_UNSUPPORTED);
        op.struct_size = 16;
        let code = open(
            &raw const op,
            c"{}".as_ptr(),
            &raw mut session,
            ptr::null_mut(),
        );
        assert_eq!(code, abi::GP_E_INTERNAL);
    }
}
