//! A bucket that is played: it keeps what is put into it, for whoever signs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::http::{Method, Request, Response};

/// The bucket behind its address.
pub struct Bucket {
    /// Where it is.
    pub endpoint: String,
    inside: Arc<Mutex<Inside>>,
}

/// What is in it.
#[derive(Default)]
pub struct Inside {
    /// What is whole.
    pub kept: BTreeMap<String, Vec<u8>>,
    /// Uploads that have neither been completed nor aborted, with their parts.
    pub unfinished: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    /// What was asked: methods, with the number of the part.
    pub asked: Vec<String>,
    /// The part that is refused.
    pub refused: Option<u32>,
}

impl Bucket {
    /// An empty one.
    pub async fn start() -> Self {
        let inside = Arc::new(Mutex::new(Inside::default()));
        let shared = inside.clone();
        let router = axum::Router::new().fallback(move |request: Request<Body>| {
            let inside = shared.clone();
            async move {
                let (head, body) = request.into_parts();
                let signed = head.headers.get("authorization").and_then(|value| value.to_str().ok());
                if !signed.unwrap_or_default().starts_with("AWS4-HMAC-SHA256 Credential=AKIA/") {
                    return answer(403, Vec::new());
                }
                let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes().to_vec();
                let query = head.uri.query().unwrap_or_default();
                let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                let name = head.uri.path().to_owned();
                let (status, bytes) = inside.lock().unwrap().answer(&head.method, name, &query, body);
                answer(status, bytes)
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Bucket { endpoint, inside }
    }

    /// `[recordings.copies]` with copies in here.
    pub fn storage(&self) -> String {
        format!(
            "[recordings.copies]\nbucket = \"calls\"\nprefix = \"/hub/\"\nendpoint = \"{}\"\n\
             access_key = {{ file = \"s3-key\" }}\nsecret_key = {{ file = \"s3-secret\" }}\n",
            self.endpoint
        )
    }

    /// What is in it now.
    pub fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }
}

impl Inside {
    fn answer(
        &mut self,
        method: &Method,
        name: String,
        query: &BTreeMap<String, String>,
        body: Vec<u8>,
    ) -> (u16, Vec<u8>) {
        let part: Option<u32> = query.get("partNumber").map(|part| part.parse().unwrap());
        self.asked.push(part.map_or(method.to_string(), |part| format!("{method} {part}")));
        match (method.as_str(), query.get("uploadId"), part) {
            ("POST", None, _) => {
                self.unfinished.insert(name.clone(), BTreeMap::new());
                let id = format!("<UploadId>{name}</UploadId>");
                (200, format!("<InitiateMultipartUploadResult>{id}</InitiateMultipartUploadResult>").into_bytes())
            }
            ("PUT", Some(_), Some(part)) if self.refused == Some(part) => (403, Vec::new()),
            ("PUT", Some(id), Some(part)) => {
                self.unfinished.get_mut(id).unwrap().insert(part, body);
                (200, Vec::new())
            }
            ("POST", Some(id), _) => {
                let parts = self.unfinished.remove(id).unwrap();
                self.kept.insert(name, parts.into_values().flatten().collect());
                let tag = "<ETag>\"1\"</ETag>";
                (200, format!("<CompleteMultipartUploadResult>{tag}</CompleteMultipartUploadResult>").into_bytes())
            }
            ("DELETE", Some(id), _) => {
                self.unfinished.remove(id).unwrap();
                (204, Vec::new())
            }
            ("PUT", ..) => {
                self.kept.insert(name, body);
                (200, Vec::new())
            }
            _ => self.kept.get(&name).map_or((404, Vec::new()), |bytes| (200, bytes.clone())),
        }
    }

    /// How often this was asked since it was asked last.
    pub fn count(&mut self, method: &str) -> usize {
        self.asked.drain(..).filter(|asked| asked == method).count()
    }
}

fn answer(status: u16, bytes: Vec<u8>) -> Response<Body> {
    let dated = Response::builder().header("etag", "\"1\"").header("last-modified", "Sat, 21 Nov 2026 12:00:00 GMT");
    dated.status(status).body(Body::from(bytes)).unwrap()
}
