//! The few fields of SentencePiece's model file that decide which tokens come out (sentencepiece_model.proto), read from the
//! protobuf wire format.

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Normal,
    /// Stands for what has no piece.
    Unknown,
    /// `<s>` and the like.
    Control,
    /// Found in the text before everything else.
    UserDefined,
    /// Never used.
    Unused,
    /// One byte, `<0xE4>`.
    Byte,
}

/// One piece; its id is its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: Kind,
}

/// A model file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    pub(super) pieces: Vec<Piece>,
    /// 1 is unigram, 2 BPE.
    pub(super) model_type: u64,
    pub(super) byte_fallback: bool,
    pub(super) space_as_suffix: bool,
    /// Ids of the tokens before and behind a sequence; negative where there are none.
    pub(super) bos: i32,
    pub(super) eos: i32,
    /// Empty where text is not normalised.
    pub(super) charsmap: Vec<u8>,
    pub(super) add_dummy_prefix: bool,
    pub(super) remove_extra_whitespaces: bool,
    pub(super) escape_whitespaces: bool,
}

impl Model {
    /// Reads a file; what is wrong with it is said in a few words.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        // The defaults of the format.
        let mut model = Self {
            pieces: Vec::new(),
            model_type: 1,
            byte_fallback: false,
            space_as_suffix: false,
            bos: 1,
            eos: 2,
            charsmap: Vec::new(),
            add_dummy_prefix: true,
            remove_extra_whitespaces: true,
            escape_whitespaces: true,
        };
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(piece)) => model.pieces.push(parse_piece(piece)?),
                (2, Value::Bytes(trainer)) => model.read_trainer(trainer)?,
                (3, Value::Bytes(normalizer)) => model.read_normalizer(normalizer)?,
                _ => {}
            }
        }
        if model.pieces.is_empty() { Err("it has no pieces") } else { Ok(model) }
    }

    fn read_trainer(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (3, Value::Number(value)) => self.model_type = value,
                (24, Value::Number(value)) => self.space_as_suffix = value != 0,
                (35, Value::Number(value)) => self.byte_fallback = value != 0,
                (41, Value::Number(value)) => self.bos = value as i32,
                (42, Value::Number(value)) => self.eos = value as i32,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_normalizer(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (2, Value::Bytes(map)) => self.charsmap = map.to_vec(),
                (3, Value::Number(value)) => self.add_dummy_prefix = value != 0,
                (4, Value::Number(value)) => self.remove_extra_whitespaces = value != 0,
                (5, Value::Number(value)) => self.escape_whitespaces = value != 0,
                _ => {}
            }
        }
        Ok(())
    }
}

fn parse_piece(bytes: &[u8]) -> Result<Piece, &'static str> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: Kind::Normal };
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(text)) => piece.text = String::from_utf8(text.to_vec()).map_err(|_| "a piece is not UTF-8")?,
            (2, Value::Fixed(bits)) => piece.score = f32::from_bits(bits),
            (3, Value::Number(kind)) => {
                piece.kind = match kind {
                    1 => Kind::Normal,
                    2 => Kind::Unknown,
                    3 => Kind::Control,
                    4 => Kind::UserDefined,
                    5 => Kind::Unused,
                    6 => Kind::Byte,
                    _ => return Err("a piece is of an unknown kind"),
                }
            }
            _ => {}
        }
    }
    if piece.text.is_empty() || !piece.score.is_finite() { Err("a piece has no text or no score") } else { Ok(piece) }
}

/// A field's value, by wire type.
enum Value<'a> {
    Number(u64),
    Fixed(u32),
    Bytes(&'a [u8]),
    /// Eight bytes, which no field here has.
    Long,
}

/// The rest of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value.
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, &'static str> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Long
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| ENDS)?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed(self.take(4)?.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte))),
            _ => return Err("it is no protobuf"),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or(0);
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("it is no protobuf")
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ENDS)?;
        self.0 = rest;
        Ok(taken)
    }
}

const ENDS: &str = "it ends too early";
