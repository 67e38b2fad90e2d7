import Foundation
import Legato
import LegatoAudio
import Testing

@Suite struct AudioRingTests {
  /// Frames numbered from `first` on; the second channel is the first, negated.
  static func count(_ memory: PlanarMemory, from first: Int, _ frames: Int) {
    for frame in 0..<frames {
      memory.rows[0][frame] = Float(first + frame)
      memory.rows[1][frame] = -Float(first + frame)
    }
  }

  @Test(arguments: [1, 2, 3, 4, 5, 7, 8, 16]) func everyDepthWithEveryBlock(depth: Int) {
    for writing in 1...depth + 1 {
      for reading in 1...depth + 1 {
        let ring = AudioRing(channels: 2, depth: depth)
        #expect(ring.capacity >= depth && ring.capacity & (ring.capacity - 1) == 0)
        var producer = ring.takeProducer()
        var consumer = ring.takeConsumer()
        let (input, output) = (
          PlanarMemory(channels: 2, capacity: writing), PlanarMemory(channels: 2, capacity: reading)
        )
        var interleaved = [Float](repeating: 0, count: 2 * reading)
        var (written, read) = (0, 0)
        for round in 0..<60 {
          Self.count(input, from: written, writing)
          let room = producer.room
          #expect(room == depth - (written - read) && ring.count == written - read)
          let took = producer.write(input.rows, frames: writing)
          // All or nothing.
          #expect(took == (writing <= room))
          if took { written += writing }
          let got: Int
          if round % 2 == 0 {
            got = consumer.read(into: output.rows, frames: reading)
          } else {
            got = interleaved.withUnsafeMutableBufferPointer {
              consumer.read(interleaved: $0.baseAddress!, frames: reading)
            }
            for frame in 0..<got {
              output.rows[0][frame] = interleaved[2 * frame]
              output.rows[1][frame] = interleaved[2 * frame + 1]
            }
          }
          #expect(got == min(reading, written - read))
          let expected = (0..<got).map { Float(read + $0) }
          #expect(output.arrays(0..<got) == [expected, expected.map { -$0 }])
          read += got
        }
        // A block that is larger than the ring is never taken, any other always some time.
        #expect((written > 0) == (writing <= depth))
      }
    }
  }

  @Test func discardedSamplesAreSkippedAndKeptFromSnapshots() {
    let ring = AudioRing(channels: 2, depth: 6)
    var producer = ring.takeProducer()
    var consumer = ring.takeConsumer()
    let memory = PlanarMemory(channels: 2, capacity: 8)
    Self.count(memory, from: 0, 5)
    var took = producer.write(memory.rows, frames: 5)
    var got = consumer.read(into: memory.rows, frames: 2)
    var waiting = producer.waiting()
    #expect(took && got == 2 && waiting == [[2, 3, 4], [-2, -3, -4]])
    producer.discard()
    (waiting, took) = (producer.waiting(), ring.count == 0)
    #expect(waiting == [[], []] && took)
    // The producer goes on, though the reader has not passed them.
    var room = producer.room
    #expect(room == 6)
    Self.count(memory, from: 10, 6)
    took = producer.write(memory.rows, frames: 6)
    (waiting, room) = (producer.waiting(), producer.room)
    #expect(took && room == 0 && ring.count == 6 && waiting[0] == [10, 11, 12, 13, 14, 15])
    // As long as there is memory: 16 frames, of which 3 and 6 and now 6 more are not read.
    producer.discard()
    took = producer.write(memory.rows, frames: 6)
    producer.discard()
    room = producer.room
    #expect(took && room == 1)
    Self.count(memory, from: 30, 1)
    took = producer.write(memory.rows, frames: 1)
    got = consumer.read(into: memory.rows, frames: 8)
    room = producer.room
    #expect(took && got == 1 && room == 6 && memory.rows[0][0] == 30 && memory.rows[1][0] == -30)
  }

  /// Two threads at full speed: every frame arrives once and in order. `Scripts/check-sanitizers.sh` has
  /// ThreadSanitizer watch the same.
  @Test(arguments: [1, 3, 64, 1000]) func twoThreadsLoseNothing(depth: Int) {
    let total = depth < 4 ? 100_000 : 400_000
    let ring = AudioRing(channels: 2, depth: depth)
    let thread = Thread {
      var producer = ring.takeProducer()
      let memory = PlanarMemory(channels: 2, capacity: depth)
      var (written, size) = (0, 1)
      while written < total {
        let count = min(size, total - written)
        Self.count(memory, from: written % 65536, count)
        while !producer.write(memory.rows, frames: count) { sched_yield() }
        written += count
        size = size % depth + 1
      }
    }
    thread.start()
    var consumer = ring.takeConsumer()
    let memory = PlanarMemory(channels: 2, capacity: depth + 2)
    var (read, size, wrong) = (0, 1, 0)
    // The number before, so that a block that was numbered across 65,536 is followed, too.
    var next = 0
    while read < total {
      let got = consumer.read(into: memory.rows, frames: size)
      for frame in 0..<got {
        let value = Int(memory.rows[0][frame])
        if value != next && value != read % 65536 || memory.rows[1][frame] != -Float(value) { wrong += 1 }
        next = value + 1
        read += 1
      }
      if got == 0 { sched_yield() }
      size = size % (depth + 2) + 1
    }
    #expect(wrong == 0)
    #expect(ring.count == 0)
  }
}
