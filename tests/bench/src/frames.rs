//! WebSocket frames, counted without being decoded.

/// What is known of the frame that is being read.
#[derive(Default)]
pub struct Frames {
    head: [u8; 10],
    have: usize,
    left: usize,
    length: usize,
}

impl Frames {
    /// Reads on; how many texts ended in these bytes, and how long the last was.
    pub fn read(&mut self, mut bytes: &[u8]) -> (usize, usize) {
        let mut texts = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = &bytes[taken..];
                texts += usize::from(self.left == 0 && self.is_text());
                continue;
            }
            self.head[self.have] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            let size = usize::from(self.head[1] & 0x7f);
            let long = match size {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            if self.have < 2 || self.have < 2 + long {
                continue;
            }
            let wide = self.head[2..2 + long].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            self.left = if long == 0 { size } else { wide };
            self.have = 0;
            if self.is_text() {
                self.length = self.left;
                texts += usize::from(self.left == 0);
            }
        }
        (texts, self.length)
    }

    fn is_text(&self) -> bool {
        self.head[0] & 0x0f == 1
    }
}
