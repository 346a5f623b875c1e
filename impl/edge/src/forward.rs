//! Signaling requests on their way to coord, streamed both ways.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request, Response, Uri,
    uri::{Authority, Scheme},
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use p2claw_signaling::{SignalCode, code, registry::http_error::edge as http_error};

use crate::{
    Dial, EdgeError,
    service::{Body, json_problem},
};

/// Field in which coord learns which address was asked for.
const HOST_FIELD: HeaderName = HeaderName::from_static("p2claw-host");

/// Fields of a request that coord needs; a visitor's others stay here.
const FORWARDED_FIELDS: [HeaderName; 3] = [
    http::header::CONTENT_TYPE,
    http::header::CONTENT_LENGTH,
    http::header::ACCEPT,
];

#[derive(Debug)]
pub(crate) struct Coord {
    scheme: Scheme,
    authority: Authority,
    client: Client<Dial, Incoming>,
}

impl Coord {
    pub(crate) fn new(uri: Uri, dial: Dial) -> Result<Self, EdgeError> {
        let parts = uri.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(EdgeError::BadCoord(uri));
        };
        if scheme != Scheme::HTTP {
            return Err(EdgeError::BadCoord(uri));
        }
        let client = Client::builder(TokioExecutor::new()).build(dial);
        Ok(Self {
            scheme,
            authority,
            client,
        })
    }

    /// Sends a request on and hands the answer back as it streams in.
    pub(crate) async fn forward(&self, request: Request<Incoming>, host: &str) -> Response<Body> {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().cloned();
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target.map_or_else(|| "/".to_owned(), |target| target.to_string()))
            .build();
        let (Ok(uri), Ok(host)) = (uri, HeaderValue::from_str(host)) else {
            return unreachable("the address cannot be passed on");
        };
        let mut forwarded = Request::new(body);
        *forwarded.method_mut() = head.method;
        *forwarded.uri_mut() = uri;
        for name in FORWARDED_FIELDS {
            if let Some(value) = head.headers.get(&name) {
                forwarded.headers_mut().insert(name, value.clone());
            }
        }
        forwarded.headers_mut().insert(HOST_FIELD, host);
        match self.client.request(forwarded).await {
            Ok(mut response) => {
                // No cookie is set on an address (EDG-009); the rest is of the connection to coord.
                for name in [
                    "connection",
                    "keep-alive",
                    "set-cookie",
                    "transfer-encoding",
                ] {
                    response.headers_mut().remove(name);
                }
                response.map(|body| body.map_frame(|frame| frame.map_data(Bytes::from)).boxed())
            }
            Err(error) => {
                tracing::warn!(%error, coord = %self.authority, "coord does not answer");
                unreachable("the coordination service does not answer; try again in a moment")
            }
        }
    }
}

fn unreachable(detail: &str) -> Response<Body> {
    let json = code::error_json(SignalCode::CoordUnreachable, detail);
    json_problem(http_error::COORD_UNREACHABLE, json)
}
