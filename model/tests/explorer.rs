//! stateright's Explorer on a toy: what a reader gets to see are words.
#![cfg(feature = "checker")]

mod toy;

use model::checker::stateright::serve;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use toy::{Locks, Toy};

/// What a browser gets for a path.
fn get(address: SocketAddr, path: &str) -> String {
    // The server is another thread, and not there from the first moment.
    let mut stream = (0..100)
        .find_map(|_| TcpStream::connect(address).inspect_err(|_| thread::sleep(Duration::from_millis(20))).ok())
        .expect("the Explorer listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_explorer_shows_words_and_no_ids() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let address = free.local_addr().expect("it has an address");
    drop(free);
    thread::spawn(move || serve(Arc::new(Toy(Locks { careful: false, crashes: false })), address));

    let page = get(address, "/");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<html"), "{page}");

    let beginning = get(address, "/.states/");
    assert!(beginning.contains(r"host A: Nothing\nhost B: Nothing\nthe lock is free"), "{beginning}");
    assert!(!beginning.contains("Room {"), "{beginning}");

    let steps = get(address, "/.states/0");
    assert!(steps.contains(r#""action":"host A looks at the lock""#), "{steps}");
    assert!(steps.contains(r#""outcome":"host A: SawItFree""#), "{steps}");

    // Both look, A takes it, and B may take it too.
    let bad = get(address, "/.states/0/0/1/2");
    assert!(bad.contains(r"violated: I-EX: Of the processes"), "{bad}");

    let status = get(address, "/.status");
    assert!(status.contains("I-EX: ") && status.contains("No assertion of the engine fails."), "{status}");
    assert!(!status.contains("I-CALM"), "what a space does not watch is not said to hold: {status}");
}

#[test]
fn an_address_in_use_is_an_error_and_not_a_panic() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let address = taken.local_addr().expect("it has an address");
    let space = Arc::new(Toy(Locks { careful: true, crashes: false }));
    let Err(error) = serve(space, address);
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
