//! libkds.so with one more function, which meets a defect. The product has no such function.

/// Panics inside the gate that all functions pass, as a defect in a run of this job would.
///
/// # Safety
/// As `kds_job_run`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kds_test_panic(job: *mut kds::kds_job, error: *mut *mut kds::kds_error) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { kds::meet_a_defect(job, error) }
}
