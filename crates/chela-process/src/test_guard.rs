//! Lets a test binary act as the spawner of guards, so that tests start real guards without the gateway's binary.

/// Runs before `main` of the test harness, which would not understand the spawner's arguments.
#[used]
#[allow(unsafe_code, reason = "only the linker can run something before the test harness")]
// SAFETY: the section holds function pointers of this type; the function uses nothing that `main` sets up.
#[unsafe(link_section = ".init_array")]
pub(crate) static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    if std::env::args_os().nth(1).is_some_and(|arg| arg == crate::spawner::SPAWNER_ARG) {
        std::process::exit(crate::spawner::main().into());
    }
}
