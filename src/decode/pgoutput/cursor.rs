//! Reads one message from front to back. Every read names what it reads, for errors.

use bytes::{Buf as _, Bytes};

use crate::decode::DecodeError;

/// What is left of a message.
#[derive(Debug)]
pub(super) struct Cursor {
    rest: Bytes,
}

/// A fixed-width number in network order.
macro_rules! number {
    ($name:ident, $get:ident, $type:ty) => {
        pub(super) fn $name(&mut self, what: &'static str) -> Result<$type, DecodeError> {
            self.rest
                .$get()
                .map_err(|_too_long| DecodeError::Truncated { what })
        }
    };
}

impl Cursor {
    pub(super) const fn new(message: Bytes) -> Self {
        Self { rest: message }
    }

    number!(u8, try_get_u8, u8);
    number!(u16, try_get_u16, u16);
    number!(u32, try_get_u32, u32);
    number!(u64, try_get_u64, u64);
    number!(i64, try_get_i64, i64);

    /// Reads the length of what follows.
    pub(super) fn length(&mut self, what: &'static str) -> Result<usize, DecodeError> {
        let length = self.u32(what)?;
        usize::try_from(length).map_err(|_too_long| DecodeError::Truncated { what })
    }

    /// Takes the next `length` bytes, without copying them.
    pub(super) fn bytes(
        &mut self,
        length: usize,
        what: &'static str,
    ) -> Result<Bytes, DecodeError> {
        if length > self.rest.len() {
            return Err(DecodeError::Truncated { what });
        }
        Ok(self.rest.split_to(length))
    }

    /// Reads text that a zero byte ends.
    pub(super) fn name(&mut self, what: &'static str) -> Result<String, DecodeError> {
        match std::str::from_utf8(&self.bytes_to_zero(what)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_not_utf8) => Err(DecodeError::NotUtf8 { what }),
        }
    }

    /// As [`Cursor::name`], for what need not be text.
    pub(super) fn lossy_name(&mut self, what: &'static str) -> Result<String, DecodeError> {
        Ok(String::from_utf8_lossy(&self.bytes_to_zero(what)?).into_owned())
    }

    fn bytes_to_zero(&mut self, what: &'static str) -> Result<Bytes, DecodeError> {
        let zero = self.rest.iter().position(|byte| *byte == 0);
        let length = zero.ok_or(DecodeError::Truncated { what })?;
        let text = self.bytes(length, what)?;
        self.rest.advance(1);
        Ok(text)
    }

    /// Requires that nothing is left.
    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeError::Trailing { count }),
        }
    }
}
