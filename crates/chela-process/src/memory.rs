//! The memory of this process: how much there is, and giving back what only the start needed.

use std::ffi::c_void;

/// Resident memory of this process, in bytes.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn own_rss_bytes() -> std::io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages = text.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    Ok(pages * rustix::param::page_size() as u64)
}

/// Gives back the pages of program code that are mapped now; the kernel maps a page again when it is run again, from its file cache.
///
/// Most code that a start runs is never run after it, and the kernel maps the neighbours of each page that is touched: two thirds of an
/// idle gateway's resident memory would be code that it does not use. Call it once, when the start is over.
///
/// # Errors
/// When `/proc` cannot be read or the kernel refuses; nothing is lost then.
pub fn release_code() -> std::io::Result<()> {
    for (start, length) in code_mappings(&std::fs::read_to_string("/proc/self/maps")?) {
        #[allow(unsafe_code, reason = "advice about memory has no safe wrapper")]
        // SAFETY: the range is a private mapping of a file that is executable and not writable. Its pages were never written, so what
        // the kernel reads back from the file is what was there.
        unsafe {
            rustix::mm::madvise(start as *mut c_void, length, rustix::mm::Advice::LinuxDontNeed)?;
        }
    }
    Ok(())
}

/// Gives back the parts of the heap that nothing is in. Worth its time in a process that goes to sleep.
pub(crate) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    {
        #[allow(unsafe_code, reason = "the allocator has no safe wrapper for it")]
        // SAFETY: the allocator gives back only what it has not lent out.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// Address and length of every mapping of a file that can be run and not written.
///
/// Other read-only mappings stay: the loader has written addresses into some of them before it took the right to write away.
fn code_mappings(maps: &str) -> Vec<(usize, usize)> {
    let of_file = |line: &&str| line.split_whitespace().nth(5).is_some_and(|path| path.starts_with('/'));
    let range = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        (words.next()? == "r-xp").then_some((start, end.checked_sub(start)?))
    };
    maps.lines().filter(of_file).filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_given_back() {
        let maps = "\
55d0-55e0 r--p 00000000 fe:00 12 /opt/chela
1000-3000 r-xp 00001000 fe:00 12 /opt/chela
4000-5000 rwxp 00001000 fe:00 12 /opt/odd
5000-6000 r-xp 00000000 00:00 0
7000-8000 r-xp 00000000 00:00 0 [vdso]
9000-a000 rw-p 00001000 fe:00 12 /opt/chela
b000-f000 r-xs 00001000 fe:00 12 /opt/shared
";
        assert_eq!(code_mappings(maps), [(0x1000, 0x2000)]);
    }

    #[test]
    fn the_program_goes_on_with_less() {
        let before = own_rss_bytes().unwrap();
        release_code().unwrap();
        let after = own_rss_bytes().unwrap();
        assert!(after < before, "{after} bytes after, {before} before");
    }
}
