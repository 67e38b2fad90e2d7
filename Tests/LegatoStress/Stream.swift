import Foundation
import Legato
import LegatoAudio
import LegatoModels

/// One stream with a reader and controllers, all on threads of their own.
func playStream(_ package: ModelPackage) throws {
  let stream = try RealtimeStream(package, options: package.options(seed: 1), depth: 3, threads: 2)
  try stream.prompt(tone(package))
  try stream.start()
  check(stream.waitUntilFull(seconds: 120), "the ring was not filled")
  let saved = try RealtimeStream.Snapshot(bytes: stream.save().bytes)
  inParallel(5) { index in
    switch index {
    case 0, 1:
      // Two readers: one of them is refused.
      let memory = PlanarMemory(channels: stream.channels, capacity: 500)
      for _ in 0..<40 {
        _ = try? stream.pull(into: memory.rows, frames: 500)
        usleep(10_000)
      }
    case 2:
      for round in 0..<10 {
        try? stream.update {
          $0.style = round % 3 == 0 ? nil : package.styles[round % package.styles.count]
          $0.steps = 1 + round % 3
        }
        usleep(20_000)
      }
    case 3:
      for _ in 0..<2 {
        _ = try? stream.save().bytes
        try? stream.restore(saved)
        try? stream.prompt(tone(package), keepsStyle: true)
      }
    default:
      for round in 0..<10 {
        try? round % 2 == 0 ? stream.pause() : stream.resume()
        _ = stream.metrics
        usleep(15_000)
      }
    }
  }
  check(stream.metrics.frames > 0 && stream.metrics.failedFrames == 0, "\(stream.metrics)")
  // Whoever is pulling when it stops gets silence.
  inParallel(2) { index in
    if index == 0 { return stream.stop() }
    let memory = PlanarMemory(channels: stream.channels, capacity: 100)
    for _ in 0..<1000 { _ = try? stream.pull(into: memory.rows, frames: 100) }
  }
  check(stream.isStopped, "a stream was stopped and is not")
}

/// Sessions that share nothing but a package, made and released on different threads.
func playSessions(_ package: ModelPackage) {
  inParallel(3) { index in
    for round in 0..<2 {
      let session = Session(package, options: package.options(seed: UInt64(index + round)), threads: 2)
      for _ in 0..<2 { _ = session.next() }
    }
  }
}

/// A hundred thousand frames through a small ring.
func passThroughRing() {
  let total = 100_000
  let ring = AudioRing(channels: 2, depth: 7)
  inParallel(2) { index in
    let memory = PlanarMemory(channels: 2, capacity: 7)
    var (done, size) = (0, 1)
    if index == 0 {
      var producer = ring.takeProducer()
      while done < total {
        let count = min(size, total - done)
        for frame in 0..<count { for row in memory.rows { row[frame] = Float(done + frame) } }
        while !producer.write(memory.rows, frames: count) { sched_yield() }
        (done, size) = (done + count, size % 7 + 1)
      }
    } else {
      var consumer = ring.takeConsumer()
      while done < total {
        let count = consumer.read(into: memory.rows, frames: size)
        for frame in 0..<count {
          for row in memory.rows { check(row[frame] == Float(done + frame), "the ring lost samples") }
        }
        if count == 0 { sched_yield() }
        (done, size) = (done + count, size % 7 + 1)
      }
    }
  }
}
