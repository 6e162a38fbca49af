//! I-EVT: stories that break it, and one beside each that does not.

use super::{A, B, LsId, P, Property, Request, Story, THREAD, breaks, holds, name};
use crate::happening::Happening;
use lease_core::Refusal;
use lease_core::format::{Bitmap, DeltaLease, HostEvent, RequestRecord};
use lease_core::numbers::{Generation, HostId, Lver};
use lease_core::seam::{Answer, Event, EventTerms, Killpath, Restricted, Task, ToldEvent};

const EVENT: HostEvent = HostEvent { generation: 1, event: 7, data: 70 };

impl Story {
    /// Both have joined, and P of host B listens.
    fn listening(&mut self) {
        self.join(A, 1);
        self.join(B, 1);
        let listens = Request::RegEvent { lockspace: name("LS") };
        self.told(B, Some(P), listens, Ok(Answer::Done));
    }

    /// A's agent sends an event to a host id.
    fn send(&mut self, to: u64, event: HostEvent) {
        let (host_id, terms) = (HostId(to), EventTerms::default());
        let sets = Request::SetEvent { lockspace: name("LS"), host_id, event, terms };
        self.told(A, None, sets, Ok(Answer::Done));
        self.wait(2);
    }

    /// A renews, and calls these.
    fn renew_calling(&mut self, called: &[u64], event: HostEvent) {
        let timestamp = self.second(A).stamp();
        let record = DeltaLease { timestamp, event, ..self.records[&A].clone() };
        let mut bitmap = Bitmap::EMPTY;
        called.iter().for_each(|host| bitmap.set(HostId(*host)));
        self.write(A, THREAD, 0, &record.sector(&bitmap));
        self.records.insert(A, record);
    }

    /// B looks at the area, and P hears what it is told, if anything.
    fn look(&mut self, heard: Option<HostEvent>) {
        self.read(B, THREAD, 0, 1 << 20);
        if let Some(event) = heard {
            let (lockspace, host_id, from, from_generation) = (LsId(0), HostId(2), HostId(1), Generation(1));
            let told = ToldEvent { lockspace, host_id, event, from, from_generation };
            self.tell(Happening::Notified { host: B, process: P, told });
        }
        self.event(B, Event::Scanned { lockspace: LsId(0) });
    }
}

#[test]
fn an_event_reaches_whom_it_is_for() {
    holds("B hears what A sends it", |s| {
        s.listening();
        s.send(2, EVENT);
        s.renew_calling(&[2], EVENT);
        s.look(Some(EVENT));
    });
    breaks(Property::Events, "B looks, and hears nothing", |s| {
        s.listening();
        s.send(2, EVENT);
        s.renew_calling(&[2], EVENT);
        s.look(None);
    });
    breaks(Property::Events, "A does not tell B", |s| {
        s.listening();
        s.send(2, EVENT);
        s.renew_calling(&[], EVENT);
    });
    breaks(Property::Events, "A tells the neighbour of B", |s| {
        s.listening();
        s.send(2, EVENT);
        s.renew_calling(&[3], EVENT);
    });
}

#[test]
fn an_event_that_is_over_is_owed_to_nobody() {
    // 1. P listens; A tells B an event, and B's daemon reads the record, but its main loop stands still.
    // 2. P listens no more. A's event is over, and its next renewal says nothing.
    // 3. P listens again, the main loop goes on, and finds the record that says nothing.
    holds("A says nothing any more when B looks", |s| {
        s.listening();
        s.send(2, EVENT);
        s.renew_calling(&[2], EVENT);
        s.read(B, THREAD, 0, 1 << 20);
        s.told(B, Some(P), Request::EndEvent { lockspace: name("LS") }, Ok(Answer::Done));
        s.wait(61);
        s.renew_calling(&[], HostEvent::default());
        s.told(B, Some(P), Request::RegEvent { lockspace: name("LS") }, Ok(Answer::Done));
        s.look(None);
    });
    breaks(Property::Events, "A still says it when B looks", |s| {
        s.listening();
        s.send(2, EVENT);
        s.renew_calling(&[2], EVENT);
        s.read(B, THREAD, 0, 1 << 20);
        s.wait(20);
        s.renew_calling(&[2], EVENT);
        s.look(None);
    });
}

#[test]
fn what_was_seen_is_no_news() {
    // B has looked, and P listens anew. A writes the same record again.
    let again = |s: &mut Story, later: u64| {
        s.listening();
        s.send(2, EVENT);
        s.renew_calling(&[2], EVENT);
        s.look(Some(EVENT));
        s.told(B, Some(P), Request::EndEvent { lockspace: name("LS") }, Ok(Answer::Done));
        s.told(B, Some(P), Request::RegEvent { lockspace: name("LS") }, Ok(Answer::Done));
        s.wait(later);
        s.renew_calling(&[2], EVENT);
        s.look(None);
    };
    holds("in the same second: its stamp is the same", |s| again(s, 0));
    breaks(Property::Events, "later", |s| again(s, 20));
}

#[test]
fn an_event_reaches_nobody_else() {
    breaks(Property::Events, "B hears what nobody sent", |s| {
        s.listening();
        s.look(Some(EVENT));
    });
    breaks(Property::Events, "B hears what is for another host", |s| {
        s.listening();
        s.send(3, EVENT);
        s.renew_calling(&[3], EVENT);
        s.look(Some(EVENT));
    });
    let other = HostEvent { generation: 4, ..EVENT };
    breaks(Property::Events, "B hears what is for another life", |s| {
        s.listening();
        s.send(2, other);
        s.renew_calling(&[2], other);
        s.look(Some(other));
    });
    holds("B does not hear what is for another life", |s| {
        s.listening();
        s.send(2, other);
        s.renew_calling(&[2], other);
        s.look(None);
    });
    breaks(Property::Events, "A calls B for ever", |s| {
        s.listening();
        s.send(2, EVENT);
        for _ in 0..4 {
            s.wait(20);
            s.renew_calling(&[2], EVENT);
        }
    });
}

#[test]
fn a_request_is_heeded_by_its_owner_alone() {
    let heeded = |wanted| Event::Heeded { place: super::place(super::AREA), held: Lver(1), wanted, force_mode: 1 };
    let asks = |lver| {
        let (lockspace, resource, place) = (name("LS"), name("VM"), super::place(super::AREA));
        Request::Call { lockspace, resource, place, lver: Lver(lver), next: false, force_mode: 1 }
    };
    // The first answer may be to the second request: whoever owned it when the first was made may be called.
    holds("A asks twice, and only one of both is done", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(B, 1);
        s.tell(Happening::Asked { host: A, process: None, request: asks(0) });
        s.release(B, 1);
        s.acquire(A, 2);
        s.tell(Happening::Asked { host: A, process: None, request: asks(0) });
        s.told(A, None, asks(0), Err(Refusal::ShortIo));
        s.told(A, None, asks(0), Ok(Answer::Done));
        s.wait(2);
        s.renew_calling(&[2], HostEvent::default());
    });
    holds("A asks for what B holds, and calls it", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(B, 1);
        s.tell(Happening::Asked { host: A, process: None, request: asks(2) });
        s.told(A, None, asks(2), Ok(Answer::Done));
        s.wait(2);
        s.renew_calling(&[2], HostEvent::default());
        s.event(B, heeded(Lver(2)));
        s.signal(B, super::Signal::Kill);
    });
    // 1. B owns what P of A asks for, and P is gone before A's daemon comes to it.
    // 2. The next owner is A itself. The next P asks A's daemon again, which answers that.
    // 3. A's daemon comes to what the first P asked for, as it stood then: it calls B.
    let asks_twice = |s: &mut Story, last: Happening| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(B, 1);
        s.tell(Happening::Asked { host: A, process: Some(P), request: asks(2) });
        s.tell(last);
        s.release(B, 1);
        s.commit(A, 2);
        s.tell(Happening::Asked { host: A, process: Some(P), request: asks(2) });
        s.told(A, Some(P), asks(2), Err(super::Refusal::Errno(5)));
        s.wait(2);
        s.renew_calling(&[2], HostEvent::default());
    };
    holds("A comes late to what one who is gone has asked for", |s| {
        asks_twice(s, Happening::Ended { host: A, process: P });
    });
    holds("A comes late to what one who hung up has asked for", |s| {
        asks_twice(s, Happening::HungUp { host: A, process: P });
    });
    breaks(Property::Events, "A calls somebody who holds nothing", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(B, 1);
        s.tell(Happening::Asked { host: A, process: None, request: asks(2) });
        s.told(A, None, asks(2), Ok(Answer::Done));
        s.wait(2);
        s.renew_calling(&[3], HostEvent::default());
    });
    breaks(Property::Events, "B heeds what nobody asked for", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(B, 1);
        s.event(B, heeded(Lver(2)));
    });
    let asked_for = |s: &mut Story| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(B, 1);
        let record = RequestRecord { lver: Lver(2), force_mode: RequestRecord::FORCE, ..RequestRecord::FRESH };
        s.tell(Happening::Asked { host: A, process: None, request: asks(2) });
        s.write(A, super::WORKER, super::AREA + 512, &record.sector());
        s.told(A, None, asks(2), Ok(Answer::Done));
        s.read(B, Task::Resource, super::AREA + 512, 512);
    };
    holds("B has read the request, and signals the holder", |s| {
        asked_for(s);
        s.event(B, heeded(Lver(2)));
        s.signal(B, super::Signal::Kill);
        s.wait(1);
        s.renew(A);
    });
    let declared = |s: &mut Story, request: Request| s.told(B, Some(P), request, Ok(Answer::Done));
    let restricted = |kill, term| Request::Restrict(Restricted { kill, term });
    holds("B has read the request, and the holder wants no signal", |s| {
        declared(s, restricted(true, true));
        asked_for(s);
        s.event(B, heeded(Lver(2)));
        s.wait(1);
        s.renew(A);
    });
    breaks(Property::Events, "B has read the request, and the holder wants no SIGKILL, but gets no SIGTERM", |s| {
        declared(s, restricted(true, false));
        asked_for(s);
        s.event(B, heeded(Lver(2)));
        s.wait(1);
        s.renew(A);
    });
    breaks(Property::Killing, "B sends the holder what it never wants", |s| {
        declared(s, restricted(true, false));
        asked_for(s);
        s.event(B, heeded(Lver(2)));
        s.signal(B, super::Signal::Kill);
    });
    let program = || Killpath { program: b"/p"[..].into(), arguments: b""[..].into(), with_pid: false };
    holds("B has the holder's program run, for each request", |s| {
        declared(s, Request::SetKillpath(program()));
        asked_for(s);
        for _ in 0..2 {
            s.event(B, heeded(Lver(2)));
            s.tell(Happening::KillpathRun { host: B, process: P, killpath: program() });
            s.wait(1);
            s.renew(A);
        }
    });
    breaks(Property::Events, "B has read the request, and nobody is signalled", |s| {
        asked_for(s);
        s.wait(1);
        s.renew(A);
    });
    breaks(Property::Calm, "B takes its own daemon for a holder", |s| {
        s.join(B, 1);
        s.tell(Happening::SelfSignalled { host: B });
    });
    breaks(Property::Calm, "B signals for no reason at all", |s| {
        s.join(B, 1);
        s.acquire(B, 1);
        s.signal(B, super::Signal::Kill);
    });
}
