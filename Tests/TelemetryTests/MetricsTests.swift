import Telemetry
import Testing

@Suite("Metrics") struct MetricsTests {
    @Test("the text follows Prometheus' exposition format") func text() {
        let metrics = Metrics()
        metrics.counter(
            "requests_total", help: "Requests.\nBy \\ route.", labels: ["status": "200", "route": "/a\"b\\c\nd"]
        )
        .increment(by: 3)
        metrics.gauge("depth").set(2.5)
        metrics.gauge("computed", labels: ["a": "b"]) { 7 }
        let histogram = metrics.histogram("wait_seconds", help: "Wait.", buckets: [0.1, 1], labels: ["q": "x"])
        for value in [0.05, 0.1, 0.5, 3] { histogram.observe(value) }
        #expect(
            metrics.prometheusText == """
                # TYPE computed gauge
                computed{a="b"} 7
                # TYPE depth gauge
                depth 2.5
                # HELP requests_total Requests.\\nBy \\\\ route.
                # TYPE requests_total counter
                requests_total{route="/a\\"b\\\\c\\nd",status="200"} 3
                # HELP wait_seconds Wait.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{q="x",le="0.1"} 2
                wait_seconds_bucket{q="x",le="1"} 3
                wait_seconds_bucket{q="x",le="+Inf"} 4
                wait_seconds_sum{q="x"} 3.65
                wait_seconds_count{q="x"} 4

                """)
    }

    @Test("the same name and labels give the same instrument") func identity() {
        let metrics = Metrics()
        metrics.counter("a_total", labels: ["x": "1", "y": "2"]).increment()
        metrics.counter("a_total", labels: ["y": "2", "x": "1"]).increment()
        #expect(metrics.counter("a_total", labels: ["x": "1", "y": "2"]).value == 2)
        #expect(metrics.counter("a_total", labels: ["x": "2"]).value == 0)
    }

    @Test("increments from many tasks are all counted") func concurrent() async {
        let metrics = Metrics()
        let counter = metrics.counter("n_total")
        let gauge = metrics.gauge("level")
        let histogram = metrics.histogram("h_seconds")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 {
                        counter.increment()
                        gauge.add(1)
                        histogram.observe(.milliseconds(2))
                    }
                }
            }
        }
        #expect(counter.value == 8_000)
        #expect(gauge.value == 8_000)
        #expect(histogram.snapshot.count == 8_000)
        #expect(abs(histogram.snapshot.sum - 16) < 0.001)
    }

    @Test("labels without bound end in one overflow series") func overflow() {
        let metrics = Metrics()
        for index in 0..<(Metrics.seriesLimit + 50) {
            metrics.counter("x_total", labels: ["id": "\(index)"]).increment()
        }
        #expect(metrics.counter("x_total", labels: ["overflow": "true"]).value == 50)
    }

    @Test("special numbers are written as the format asks") func numbers() {
        let metrics = Metrics()
        metrics.gauge("a").set(.nan)
        metrics.gauge("b").set(.infinity)
        metrics.gauge("c").set(-.infinity)
        metrics.gauge("d").set(-3)
        #expect(
            metrics.prometheusText
                == "# TYPE a gauge\na NaN\n# TYPE b gauge\nb +Inf\n# TYPE c gauge\nc -Inf\n# TYPE d gauge\nd -3\n")
    }

    @Test("the process shows its memory and processor time") func process() throws {
        let metrics = Metrics()
        metrics.registerProcess()
        let lines = metrics.prometheusText.split(separator: "\n")
        let memory = try #require(lines.first { $0.hasPrefix("process_resident_memory_bytes ") })
        #expect(try #require(Double(memory.split(separator: " ")[1])) > 1_000_000)
        let files = try #require(lines.first { $0.hasPrefix("process_open_fds ") })
        #expect(try #require(Double(files.split(separator: " ")[1])) >= 3)
    }
}
