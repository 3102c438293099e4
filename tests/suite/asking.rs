//! `rowferry status` asks the daemon of its own config, and nobody else.

use crate::harness::{DEADLINE, Scene, rowferry, rowferry_in};

#[tokio::test]
async fn the_daemon_is_asked_without_a_proxy_whatever_the_environment_says() {
    let scene = Scene::new("asking_proxy").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let daemon = scene.start().await;
    let path = daemon.config_path();
    let path = path.to_str().unwrap();
    // Nobody listens there.
    let proxy = "http://127.0.0.1:1";
    let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let environment = names.map(|name| (name, proxy));
    let alive = rowferry_in(&environment, &["status", "--alive", "-c", path]).await;
    assert_eq!((alive.code, alive.stdout.as_str()), (0, "alive\n"), "{alive:?}");
    let status = rowferry_in(&environment, &["status", "-c", path]).await;
    assert!(status.code == 0 && status.stdout.contains("task main: Synchronizing"), "{status:?}");
}

#[tokio::test]
async fn the_daemon_of_another_config_is_not_shown_as_ones_own() {
    let (mine, other) = (Scene::new("asking_mine").await, Scene::new("asking_other").await);
    mine.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    other.source.sql("CREATE TABLE u (id INT PRIMARY KEY)").await;
    let ran = mine.start().await;
    ran.terminate();
    ran.exit_code(DEADLINE).await;
    let daemon = other.start().await;
    let listen = format!("\"127.0.0.1:{}\"", daemon.port());
    let config = mine.config().daemon("listen", &listen).file();
    let status = rowferry(&["status", "-c", &config]).await;
    assert_eq!(status.code, 1, "{status:?}");
    let file = daemon.config_path().canonicalize().unwrap();
    assert!(status.stderr.contains(&format!("runs {}, not this config", file.display())), "{status:?}");
    for words in ["no daemon answers for this config", "task main: not running", "asking_mine.t"] {
        assert!(status.stdout.contains(words), "{words} is not in {}", status.stdout);
    }
    assert!(!status.stdout.contains("asking_other"), "{status:?}");
    let json = rowferry(&["status", "--json", "-c", &config]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["tasks"]["main"]["phase"], "stopped", "{json}");
    let alive = rowferry(&["status", "--alive", "-c", &config]).await;
    assert!(alive.code == 1 && alive.stderr.contains("not this config"), "{alive:?}");

    // What is no rowferry at all is no answer either.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    let config = mine.config().daemon("listen", &format!("\"{address}\"")).file();
    let status = rowferry(&["status", "-c", &config]).await;
    assert!(status.code == 1 && status.stderr.contains("is no rowferry"), "{status:?}");
    assert!(status.stdout.contains("task main: not running"), "{status:?}");
}

#[tokio::test]
async fn whoever_cannot_read_the_secrets_can_ask_the_daemon() {
    let scene = Scene::new("asking_secrets").await;
    scene.source.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let daemon = scene.start().await;
    // The config of a service, as one sees it who has no CREDENTIALS_DIRECTORY.
    let config = scene
        .config()
        .daemon("listen", &format!("\"127.0.0.1:{}\"", daemon.port()))
        .source("password_file", "\"$CREDENTIALS_DIRECTORY/source.pw\"")
        .target("password_env", "\"ROWFERRY_NO_SUCH_VARIABLE\"")
        .target("tls", "\"verify_full\"")
        .target("ca_file", "\"$CREDENTIALS_DIRECTORY/ca.pem\"");
    let file = config.file();
    let status = rowferry(&["status", "-c", &file]).await;
    assert!(status.code == 0 && status.stdout.contains("task main: Synchronizing"), "{status:?}");
    assert_eq!(rowferry(&["status", "--alive", "-c", &file]).await.code, 0);
    let effective = rowferry(&["config", "-c", &file]).await;
    assert_eq!((effective.code, effective.stderr.as_str()), (0, ""), "{effective:?}");
    assert_eq!(effective.stdout.matches("password = \"***\"").count(), 2, "{}", effective.stdout);

    // Without a daemon the targets are asked, and that needs them; what connects to servers tells all that is missing at once.
    daemon.kill9();
    for command in [vec!["status"], vec!["check"], vec!["plan"], vec!["run"]] {
        let output = rowferry(&[command, vec!["-c", &file]].concat()).await;
        assert_eq!(output.code, 2, "{output:?}");
        for missing in ["source.src.password_file", "ROWFERRY_NO_SUCH_VARIABLE", "target.dst.ca_file"] {
            assert!(output.stderr.contains(missing), "{missing} is not in {output:?}");
        }
    }
    assert_eq!(rowferry(&["status", "--alive", "-c", &file]).await.code, 1);
}
