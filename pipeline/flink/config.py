"""Command lines and settings of the job server, and of the JobManager and TaskManager of a standalone cluster."""

from dataclasses import dataclass
from pathlib import Path

import yaml

#: Beam and Flink access these by reflection, which Java 17 forbids by default.
_OPENED = (
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "sun.nio.ch",
)
CLASSES = {
    "job server": "org.apache.beam.runners.flink.FlinkJobServerDriver",
    "JobManager": "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    "TaskManager": "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
}


@dataclass(frozen=True)
class Settings:
    """What is started.

    Attributes:
        standalone: a JobManager and a TaskManager as JVMs of their own, instead of a Flink inside the job server.
        job_port: where the job server listens for Beam.
        rest_port: where the JobManager listens for the job server.
        rpc_port: where the JobManager listens for the TaskManager.
        parallelism: slots of the TaskManager, and partitions of a job that does not set its own; inside the job server,
            of any job.
        heap: of each JVM, as Java takes it.
    """

    standalone: bool = False
    job_port: int = 8099
    rest_port: int = 8081
    rpc_port: int = 6123
    parallelism: int = 2
    heap: str = "1g"

    @property
    def job_endpoint(self) -> str:
        """Where Beam finds the job server."""
        return f"localhost:{self.job_port}"


def write_flink_conf(settings: Settings, folder: Path) -> None:
    """Write Flink's own configuration."""
    conf = {
        # Its class path is Beam's own, so a job's jars must not come before it.
        "classloader.resolve-order": "parent-first",
        "parallelism.default": settings.parallelism,
        "taskmanager.numberOfTaskSlots": settings.parallelism,
        # TFX's graphs are wide: by default, jobs fail for lack of network buffers.
        "taskmanager.memory.network.min": "512m",
        "taskmanager.memory.network.max": "512m",
        "taskmanager.network.sort-shuffle.min-buffers": 32,
        # With less per slot, they fail for lack of memory to sort in.
        "taskmanager.memory.managed.size": f"{max(256, 64 * settings.parallelism)}m",
        "io.tmp.dirs": str(folder.absolute() / "tmp"),
    }
    if settings.standalone:
        conf |= {
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": settings.rpc_port,
            "jobmanager.bind-host": "localhost",
            "taskmanager.bind-host": "localhost",
            "taskmanager.host": "localhost",
            "rest.address": "localhost",
            "rest.bind-address": "localhost",
            "rest.port": settings.rest_port,
            # What Flink's shell scripts would compute.
            "taskmanager.cpu.cores": float(settings.parallelism),
            "taskmanager.memory.task.heap.size": "512m",
            "taskmanager.memory.task.off-heap.size": "128m",
            "taskmanager.memory.framework.heap.size": "128m",
            "taskmanager.memory.framework.off-heap.size": "128m",
            "taskmanager.memory.jvm-metaspace.size": "256m",
            "taskmanager.memory.jvm-overhead.min": "192m",
            "taskmanager.memory.jvm-overhead.max": "192m",
        }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "flink-conf.yaml").write_text(yaml.safe_dump(conf))


def commands(settings: Settings, jars: Path, folder: Path) -> dict[str, list[str]]:
    """Return the command line of every process, in the order in which they start."""
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
    # By default a small run logs 7 MB: every state of every operator, every worker's description.
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    # Otherwise a JVM out of memory would neither answer nor end, and the stage would wait forever.
    memory = [f"-Xmx{settings.heap}", "-XX:MaxDirectMemorySize=1g", "-XX:+ExitOnOutOfMemoryError"]
    java = ["java", *memory, *opened, quiet, "-cp", f"{jars}/*"]
    conf = str(folder.absolute())
    server = [
        *java,
        CLASSES["job server"],
        f"--flink-master={f'localhost:{settings.rest_port}' if settings.standalone else '[local]'}",
        f"--flink-conf-dir={conf}",
        "--job-host=localhost",
        f"--job-port={settings.job_port}",
        "--artifact-port=0",
        "--expansion-port=0",
        f"--artifacts-dir={conf}/artifacts",
    ]
    if not settings.standalone:
        return {"job server": server}
    cluster = {name: [*java, CLASSES[name], "--configDir", conf] for name in ("JobManager", "TaskManager")}
    return {**cluster, "job server": server}
