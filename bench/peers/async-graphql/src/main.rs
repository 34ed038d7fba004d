//! Holds tickets through one Redis script and pushes stock over graphql-transport-ws, with async-graphql on axum.
mod auth;
mod schema;
mod stock;

use std::{env, fs, sync::Arc};

use async_graphql::{Data, Schema};
use async_graphql_axum::{GraphQLProtocol, GraphQLRequest, GraphQLResponse, GraphQLWebSocket};
use axum::{
    Router,
    extract::{State, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use auth::Verifier;
use schema::{Mutation, OnsaleSchema, Query, Subscription};
use stock::StockHub;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone)]
struct App {
    schema: OnsaleSchema,
    verifier: Arc<Verifier>,
    hub: Arc<StockHub>,
}

async fn graphql(State(app): State<App>, headers: HeaderMap, request: GraphQLRequest) -> Response {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match app.verifier.user(header) {
        Ok(user) => {
            let answer = app.schema.execute(request.into_inner().data(user)).await;
            GraphQLResponse::from(answer).into_response()
        }
        Err(reason) => (StatusCode::UNAUTHORIZED, reason).into_response(),
    }
}

async fn socket(State(app): State<App>, protocol: GraphQLProtocol, upgrade: WebSocketUpgrade) -> Response {
    // Each read clears the buffer, so the default of 128 KiB would be slow for many quiet sockets.
    upgrade.read_buffer_size(4096).protocols(["graphql-transport-ws"]).on_upgrade(move |stream| {
        let verifier = app.verifier.clone();
        GraphQLWebSocket::new(stream, app.schema.clone(), protocol)
            .on_connection_init(move |payload| async move {
                let user = verifier.user(payload["Authorization"].as_str())?;
                let mut data = Data::default();
                data.insert(user);
                Ok(data)
            })
            .serve()
    })
}

async fn tick(State(app): State<App>) -> String {
    app.hub.advance().to_string()
}

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", setting("REDIS_PORT"))).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let script = redis::Script::new(&fs::read_to_string(setting("HOLD_LUA")).unwrap());
    let hub = Arc::new(StockHub::new());
    let schema = Schema::build(Query, Mutation, Subscription)
        .data(connection)
        .data(script)
        .data(hub.clone())
        .finish();
    let verifier = Arc::new(Verifier::new(&fs::read(setting("JWT_PUBLIC_KEY")).unwrap()));
    let router = Router::new()
        .route("/graphql", get(socket).post(graphql))
        .route("/tick", post(tick))
        .with_state(App { schema, verifier, hub });
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", setting("PORT"))).await.unwrap();
    let listener = axum::serve::ListenerExt::tap_io(listener, |io| {
        let _ = io.set_nodelay(true);
    });
    axum::serve(listener, router).await.unwrap();
}
