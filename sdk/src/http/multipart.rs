//! Bodies of type `multipart/form-data`.

/// The parts of a body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Multipart(Vec<Part>);

/// One part.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, when it is a file.
    pub file_name: Option<String>,
    /// The media type, when it is a file.
    pub media_type: Option<String>,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl Multipart {
    /// No parts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push(Part { name: name.into(), file_name: None, media_type: None, bytes: value.into().into_bytes() });
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(
        mut self,
        name: impl Into<String>,
        file_name: impl Into<String>,
        media_type: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        self.0.push(Part {
            name: name.into(),
            file_name: Some(file_name.into()),
            media_type: Some(media_type.into()),
            bytes: bytes.into(),
        });
        self
    }

    /// The media type with its boundary, and the body.
    pub(super) fn encode(self) -> (String, Vec<u8>) {
        let boundary = self.boundary();
        let mut body = Vec::with_capacity(self.0.iter().map(|part| part.bytes.len() + 256).sum());
        for part in &self.0 {
            body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            body.extend_from_slice(
                format!("Content-Disposition: form-data; name=\"{}\"", quoted(&part.name)).as_bytes(),
            );
            if let Some(file_name) = &part.file_name {
                body.extend_from_slice(format!("; filename=\"{}\"", quoted(file_name)).as_bytes());
            }
            if let Some(media_type) = &part.media_type {
                body.extend_from_slice(format!("\r\nContent-Type: {}", quoted(media_type)).as_bytes());
            }
            body.extend_from_slice(b"\r\n\r\n");
            body.extend_from_slice(&part.bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={boundary}"), body)
    }

    /// The first of a row of boundaries that stands in no part: the same parts always give the same body.
    fn boundary(&self) -> String {
        let mut number = 0u32;
        loop {
            let boundary = format!("cordboard-part-{number:08x}");
            let taken = |part: &Part| part.bytes.windows(boundary.len()).any(|window| window == boundary.as_bytes());
            if !self.0.iter().any(taken) {
                return boundary;
            }
            number += 1;
        }
    }
}

/// As browsers write names: quotes and line ends percent-encoded.
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_framed() {
        let (media_type, body) = Multipart::new().field("a", "1").file("f", "x\".wav", "audio/wav", *b"RIFF").encode();
        assert_eq!(media_type, "multipart/form-data; boundary=cordboard-part-00000000");
        let body = String::from_utf8(body).unwrap();
        assert_eq!(
            body,
            "--cordboard-part-00000000\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
             --cordboard-part-00000000\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x%22.wav\"\r\n\
             Content-Type: audio/wav\r\n\r\nRIFF\r\n--cordboard-part-00000000--\r\n"
        );
    }

    #[test]
    fn a_boundary_stands_in_no_part() {
        let (media_type, _) = Multipart::new().field("a", "cordboard-part-00000000").encode();
        assert!(media_type.ends_with("00000001"));
    }
}
