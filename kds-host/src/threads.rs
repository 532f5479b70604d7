//! Wait policy of libtorch's threads, for programs that are nothing but a host.

/// Lets threads of libtorch sleep while they wait, unless the person has chosen another way. By default they spin, which
/// gains nothing on a machine with nothing else to do, and beside others who use the processors, GIMP among them, each
/// waits for one that is not running: a picture of 12 x 10 pixels took 24.5 s that way, and 0.4 s this way
/// (`docs/performance.md`).
///
/// # Safety
/// The process has no other threads yet: call it first of all.
pub unsafe fn wait_asleep() {
    const POLICY: &str = "OMP_WAIT_POLICY";
    if std::env::var_os(POLICY).is_none() {
        // SAFETY: by the contract of this function no other thread reads the environment meanwhile. libgomp does when it is loaded
        // together with libtorch, later.
        unsafe { std::env::set_var(POLICY, "passive") };
    }
}
