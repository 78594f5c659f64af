//! The real kubectl against the simulation. It must be installed: its belief is what is tested.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::support::Cluster;

struct Kubectl {
    cluster: Cluster,
    program: PathBuf,
    home: TempDir,
}

impl Kubectl {
    async fn new() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .map(|folder| folder.join("kubectl"))
            .find(|file| file.is_file())
            .expect("kubectl is not on PATH: install it, these tests are about it");
        let cluster = Cluster::small().await;
        let home = TempDir::new().unwrap();
        std::fs::write(home.path().join("config"), &cluster.kubeconfig).unwrap();
        Self { cluster, program, home }
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments.split(' ')).arg("--request-timeout=8s").env_clear();
        command.env("HOME", self.home.path()).env("KUBECONFIG", self.home.path().join("config"));
        command
    }

    async fn output(&self, arguments: &str) -> Output {
        let mut command = self.command(arguments);
        spawn_blocking(move || command.output()).await.unwrap().unwrap()
    }

    /// Standard output of a command that must succeed.
    async fn run(&self, arguments: &str) -> String {
        let output = self.output(arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn check(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
}

#[tokio::test]
async fn gets_nodes_and_pods() {
    let kubectl = Kubectl::new().await;
    let nodes = kubectl.run("get nodes -o wide").await;
    check(&nodes, &["INTERNAL-IP", "node-6", "Ready", "127.1.0.6", "containerd://", "v1.32.4"]);
    assert_eq!(nodes.lines().count(), 7);
    let pods = kubectl.run("get pods -A -o wide").await;
    check(&pods, &["NOMINATED NODE", "2/2", "Running", "Completed", "node-1", "10.64."]);
    let both = kubectl.run("get nodes,pods -A --chunk-size=25 -o name").await;
    assert_eq!(
        both.lines().filter(|line| line.starts_with("pod/")).count(),
        pods.lines().count() - 1
    );
    let some =
        kubectl.run("get pods -A -l app=kube-proxy --field-selector spec.nodeName=node-4").await;
    assert_eq!(some.lines().count(), 2, "{some}");
}

#[tokio::test]
async fn gets_autoscalers_quotas_and_volumes() {
    let kubectl = Kubectl::new().await;
    check(
        &kubectl.run("get hpa,quota,pv -A").await,
        &[
            "horizontalpodautoscaler.autoscaling/frontend",
            "Deployment/frontend",
            "%/150%",
            "resourcequota/compute",
            "requests.cpu: ",
            "limits.memory: ",
            "persistentvolume/pvc-",
            "data/data-postgres-0",
        ],
    );
    check(
        &kubectl.run("describe hpa -n web static-assets").await,
        &["(as a percentage of request)", "/ 80%", "ScalingLimited", "TooFewReplicas"],
    );
    check(&kubectl.run("describe hpa -n shop checkout").await, &["Min replicas", "AbleToScale"]);
    check(&kubectl.run("describe quota -n data").await, &["persistentvolumeclaims", "Gi"]);
    check(&kubectl.run("describe pv").await, &["csi.example.com", "data/data-postgres-0", "Bound"]);
}

#[tokio::test]
async fn gets_controllers() {
    let kubectl = Kubectl::new().await;
    let all = kubectl.run("get deploy,rs,sts,ds,jobs,cronjobs,svc,pvc -A").await;
    check(
        &all,
        &[
            "deployment.apps/frontend",
            "replicaset.apps/frontend-",
            "statefulset.apps/postgres",
            "daemonset.apps/kube-proxy",
            "job.batch/report-",
            "cronjob.batch/report",
            "service/kubernetes",
            "persistentvolumeclaim/data-postgres-0",
        ],
    );
    let wide = kubectl.run("get deploy -n web frontend -o jsonpath={.status.replicas}").await;
    assert!(wide.parse::<u32>().unwrap() > 0);
    check(&kubectl.run("get all -n web").await, &["pod/frontend-", "service/frontend"]);
}

#[tokio::test]
async fn describes_pods_and_nodes() {
    let kubectl = Kubectl::new().await;
    kubectl.cluster.at(150);
    let name = kubectl.run("get pods -n shop -l app=config-sync -o name").await;
    let pod = kubectl.run(&format!("describe -n shop {}", name.trim())).await;
    check(
        &pod,
        &[
            "Controlled By:  ReplicaSet/config-sync-",
            "Restart Count:",
            "Exit Code:    1",
            "BackOff",
        ],
    );
    let node = kubectl.run("describe node node-3").await;
    check(
        &node,
        &["InternalIP:  127.1.0.3", "Allocated resources:", "Non-terminated Pods:", "DiskPressure"],
    );
    check(&node, &["HolderIdentity:  node-3"]);
    let deployment = kubectl.run("describe deployment -n web frontend").await;
    check(&deployment, &["ScalingReplicaSet", "NewReplicaSet"]);
}

#[tokio::test]
async fn gets_and_watches_events() {
    let kubectl = Kubectl::new().await;
    check(&kubectl.run("get events -A").await, &["LAST SEEN", "SuccessfulCreate", "job/report-"]);
    let mut child = kubectl.command("get events -A -w").stdout(Stdio::piped()).spawn().unwrap();
    let seen = spawn_blocking(move || {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let header = lines.next().unwrap();
        // Its list is complete; what happens from here on comes through its watch.
        kubectl.cluster.at(110);
        let pressure = lines.find(|line| line.contains("NodeHasDiskPressure"));
        child.kill().unwrap();
        child.wait().unwrap();
        (header, pressure)
    });
    let (header, pressure) = seen.await.unwrap();
    check(&header, &["NAMESPACE", "LAST SEEN", "MESSAGE"]);
    check(&pressure.expect("the event comes"), &["node/node-3"]);
}

#[tokio::test]
async fn finds_its_way_around() {
    let kubectl = Kubectl::new().await;
    check(&kubectl.run("get --raw /version").await, &["\"gitVersion\":\"v1.32.4\""]);
    let resources = kubectl.run("api-resources").await;
    check(&resources, &["deployments", "deploy", "apps/v1", "events.k8s.io/v1", "cronjobs"]);
    assert_eq!(kubectl.run("auth can-i get pods").await.trim(), "yes");
    check(&kubectl.run("auth whoami").await, &["sim-admin"]);
    let missing = kubectl.output("get pod nothing").await;
    assert!(!missing.status.success());
    check(&String::from_utf8_lossy(&missing.stderr), &["(NotFound): pods \"nothing\" not found"]);
}
