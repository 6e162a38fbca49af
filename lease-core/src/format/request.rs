//! Request records: another host asks the owner of a resource to give it up.

use super::bytes::{Fields, padded, put, trimmed, zero_from};
use super::{magic, record};
use crate::Refusal;
use crate::numbers::{Lver, Numbers, Visit};
use alloc::sync::Arc;

/// Bytes of the record, with four of padding.
const LENGTH: usize = 24;

/// The record in the second sector of a resource (ondisk §4). It has no checksum and is never cleared by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestRecord {
    /// Format version; only the major half is checked.
    pub version: u32,
    /// The version of the lease that is asked for.
    pub lver: Lver,
    /// 0 nothing, 1 FORCE, 2 GRACEFUL.
    pub force_mode: u32,
    /// Bytes that mean nothing. New records get 0, but sanlock writes half a pointer here when it formats an index or
    /// clears a resource.
    pub padding: u32,
}

impl RequestRecord {
    /// The version that new records get: major 1, minor 1.
    pub const VERSION: u32 = 0x0001_0001;

    /// The holder is killed.
    pub const FORCE: u32 = 1;
    /// The holder is asked to go.
    pub const GRACEFUL: u32 = 2;

    /// Nothing is asked for.
    pub const FRESH: RequestRecord =
        RequestRecord { version: RequestRecord::VERSION, lver: Lver(0), force_mode: 0, padding: 0 };

    /// Reads and verifies the record.
    ///
    /// # Errors
    ///
    /// -270 if no request record is there, -271 for another major version.
    pub fn read(bytes: &[u8]) -> Result<RequestRecord, Refusal> {
        let (found, record) = RequestRecord::peek(bytes);
        if found != magic::REQUEST {
            return Err(Refusal::RequestMagic);
        }
        if !record::is_major(record.version, RequestRecord::VERSION) {
            return Err(Refusal::RequestVersion);
        }
        Ok(record)
    }

    /// The magic number and the fields, with nothing verified.
    pub fn peek(bytes: &[u8]) -> (u32, RequestRecord) {
        let bytes: [u8; LENGTH] = padded(bytes, 0);
        let fields = Fields(&bytes);
        let record = RequestRecord {
            version: fields.u32(4),
            lver: Lver(fields.u64(8)),
            force_mode: fields.u32(16),
            padding: fields.u32(20),
        };
        (fields.u32(0), record)
    }

    /// The record, if encoding it gives the same bytes again.
    pub(super) fn decode(bytes: &[u8]) -> Option<RequestRecord> {
        RequestRecord::read(bytes).ok().filter(|_| zero_from(bytes, LENGTH))
    }

    /// The bytes of the whole sector, without trailing zeros.
    pub fn sector(&self) -> Arc<[u8]> {
        let mut bytes = [0; LENGTH];
        put(&mut bytes, 0, &magic::REQUEST.to_le_bytes());
        put(&mut bytes, 4, &self.version.to_le_bytes());
        put(&mut bytes, 8, &self.lver.0.to_le_bytes());
        put(&mut bytes, 16, &self.force_mode.to_le_bytes());
        put(&mut bytes, 20, &self.padding.to_le_bytes());
        trimmed(&bytes)
    }
}

impl Visit for RequestRecord {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        numbers.lver(&mut self.lver);
    }
}
