//! What the process under test does when it is told to.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use hotswap::__private::v0_1_0::{Arg, Descriptor, Tracked, call0};

/// The entry of the process under test: it returns a number, 1 in the executable itself.
pub(crate) static ENTRY: Descriptor = Descriptor::new("entry", "fn() -> u32", 0, None);

/// The body of the entry in the executable.
pub(crate) fn body() -> Arg<u32> {
    Arg([1])
}

/// Runs at swaps, and says so.
pub(crate) fn notes(swap: hotswap::Swap) -> Result<(), String> {
    println!("hook {} {}", swap.from, swap.to);
    Ok(())
}

/// Refuses new code.
pub(crate) fn refuses(_: hotswap::Swap) -> Result<(), String> {
    Err("not today".to_owned())
}

/// The process under test: does what each line on its standard input says, and answers with a line.
pub(crate) fn obey() {
    hotswap::on_swap(|swap| println!("swapped {} {}", swap.from, swap.to));
    let mut own = None;
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "status" => println!("{} {}", hotswap::version(), hotswap::status().listening),
            "variables" => {
                let ours = |key: &String| key.starts_with("HOTSWAP_");
                let found: Vec<String> =
                    std::env::vars().map(|(key, _)| key).filter(ours).collect();
                println!("variables {found:?}");
            }
            "descriptors" => println!("descriptors {:?}", inherited_descriptors()),
            "fork" => println!("fork {}", in_child()),
            "call" => println!("called {}", call0::<Tracked, u32>(&ENTRY, body)),
            "maps" => println!("maps {}", mapped_images()),
            "open" => println!("open {}", fs::read_dir("/proc/self/fd").unwrap().count()),
            "close" => own = Some(close_and_listen()),
            "own" => {
                own.as_ref().unwrap().accept().unwrap();
                println!("own client");
            }
            "fences" => println!("fences {}", fences_are_prepared()),
            "threads" => println!(
                "threads {}",
                fs::read_dir("/proc/self/task").unwrap().count()
            ),
            other => panic!("unknown order {other}"),
        }
    }
}

/// Closes every descriptor as a careless program does, and listens to a socket of its own.
fn close_and_listen() -> UnixListener {
    let socket = std::env::var("TEST_SOCKET").unwrap();
    // SAFETY: no object of this test's main thread owns one of them.
    unsafe { libc::close_range(3, 100, 0) };
    let listener = UnixListener::bind(socket).unwrap();
    println!("listens as {}", listener.as_raw_fd());
    listener
}

/// How many different files called `*.so.sample` are mapped.
fn mapped_images() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut names: Vec<&str> = maps
        .lines()
        .filter(|line| line.ends_with(".so.sample"))
        .collect();
    names
        .iter_mut()
        .for_each(|line| *line = line.rsplit(' ').next().unwrap());
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// Descriptors of sockets and pipes above the standard ones that a program started from here has.
fn inherited_descriptors() -> Vec<String> {
    let script = "for f in /proc/self/fd/*; do readlink $f; done";
    let output = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| line.starts_with("socket"))
        .map(str::to_owned)
        .collect()
}

/// Whether the kernel gives this process the barrier that a swap needs, without being asked for it now.
fn fences_are_prepared() -> bool {
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    // SAFETY: the system call takes three integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, PRIVATE_EXPEDITED, 0, 0) == 0 }
}

/// Whether a forked child listens, and how many sockets it has.
fn in_child() -> String {
    // SAFETY: the child calls only what is safe after a fork here (no other thread of the parent
    // holds the allocator, as they wait for input) and leaves by `_exit`.
    unsafe {
        match libc::fork() {
            0 => {
                let sockets = fs::read_dir("/proc/self/fd").map_or(100, |list| {
                    list.flatten()
                        .filter_map(|entry| fs::read_link(entry.path()).ok())
                        .filter(|target| target.to_string_lossy().starts_with("socket"))
                        .count() as i32
                });
                let listening = i32::from(hotswap::status().listening);
                // Runs the handlers of a normal end, which must leave the parent's socket alone.
                libc::exit(sockets + 50 * listening);
            }
            pid => {
                let mut status = 0;
                assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
                format!("child ended with {}", libc::WEXITSTATUS(status))
            }
        }
    }
}
