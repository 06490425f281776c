//! The layers of a checkpoint in order, read one ahead of the work.

use super::HostLayer;
use crate::base::Result;
use crate::checkpoint::Checkpoint;
use crate::model::{Architecture, Layer};
use futures_util::future::try_join;

/// Calls `work` with every layer and its weights, from the bottom up. While it works on one layer, the next one is read; so two
/// layers are on the host at a time, unless `work` drops its own early. All reads of a layer are started before the work on the one
/// before it.
pub async fn each_layer(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    work: impl AsyncFnMut(usize, &Layer, HostLayer) -> Result<()>,
) -> Result<()> {
    let order: Vec<usize> = (0..architecture.layers.len()).collect();
    in_order(checkpoint, architecture, &order, work).await
}

/// As [`each_layer`], from the top down.
pub async fn each_layer_down(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    work: impl AsyncFnMut(usize, &Layer, HostLayer) -> Result<()>,
) -> Result<()> {
    let order: Vec<usize> = (0..architecture.layers.len()).rev().collect();
    in_order(checkpoint, architecture, &order, work).await
}

/// As [`each_layer`], for some layers in this order; no other is read.
pub async fn in_order(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    order: &[usize],
    mut work: impl AsyncFnMut(usize, &Layer, HostLayer) -> Result<()>,
) -> Result<()> {
    let read = async |place: usize| match order.get(place) {
        Some(&index) => HostLayer::read(checkpoint, &architecture.layers[index]).await.map(Some),
        None => Ok(None),
    };
    let mut next = read(0).await?;
    for (place, &index) in order.iter().enumerate() {
        let Some(host) = next.take() else { break };
        (next, ()) = try_join(read(place + 1), work(index, &architecture.layers[index], host)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::LocalFuture;
    use crate::checkpoint::{ByteSource, Folder, Source, folder_of};
    use crate::fixture;
    use crate::model::testing::{TinyBert, open};
    use pollster::block_on;
    use std::any::Any;
    use std::cell::RefCell;
    use std::ops::Range;
    use std::path::Path;
    use std::rc::Rc;
    use std::task::Poll;

    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Event {
        /// A read of these bytes of this file.
        Started(String, Range<u64>),
        Ended(String, Range<u64>),
        Worked(usize),
    }

    type Log = Rc<RefCell<Vec<Event>>>;

    /// A file whose bytes are not there yet when they are asked for.
    struct Slow {
        file: Source,
        log: Log,
    }

    impl ByteSource for Slow {
        fn name(&self) -> &str {
            self.file.name()
        }
        fn len(&self) -> u64 {
            self.file.len()
        }
        fn read(&self, range: Range<u64>) -> LocalFuture<'_, Result<Vec<u8>>> {
            let name = self.name().to_owned();
            Box::pin(async move {
                self.log.borrow_mut().push(Event::Started(name.clone(), range.clone()));
                let mut asked = false;
                std::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                self.log.borrow_mut().push(Event::Ended(name, range.clone()));
                self.file.read(range).await
            })
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    /// Every tensor of a layer is read once, and all its reads are going on before the work on the layer below, which never
    /// waits; none of the layer above is.
    fn reads_one_ahead(folder: &Folder, tensors: usize) {
        let log = Log::default();
        let slow = |file: &Source| Rc::new(Slow { file: file.clone(), log: log.clone() }) as Source;
        let model = open(Folder::new(folder.files().iter().map(slow).collect()).unwrap());
        log.borrow_mut().clear();
        let works = async |index: usize, _: &Layer, _: HostLayer| {
            log.borrow_mut().push(Event::Worked(index));
            Ok(())
        };
        block_on(each_layer(&model.checkpoint, &model.architecture, works)).unwrap();

        let mut events = log.borrow().clone().into_iter();
        let mut take = |count: usize| events.by_ref().take(count).collect::<Vec<_>>();
        for (index, layer) in model.architecture.layers.iter().enumerate() {
            let mut names: Vec<&String> = layer.linears().iter().flat_map(|linear| linear.bias.iter().chain([&linear.weight])).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), tensors);
            let places =
                names.iter().map(|name| model.checkpoint.get(name).map(|entry| (entry.source.name().to_owned(), entry.range.clone())));
            let places: Vec<_> = places.map(Option::unwrap).collect();
            let are = |events: Vec<Event>, kind: fn(String, Range<u64>) -> Event| {
                assert_eq!(events.len(), tensors);
                assert!(
                    places.iter().all(|(file, range)| events.contains(&kind(file.clone(), range.clone()))),
                    "layer {index}: {events:?}"
                );
            };
            are(take(tensors), Event::Started);
            if index > 0 {
                assert_eq!(take(1), [Event::Worked(index - 1)]);
            }
            are(take(tensors), Event::Ended);
        }
        assert_eq!(events.collect::<Vec<_>>(), [Event::Worked(model.architecture.layers.len() - 1)]);
    }

    #[test]
    fn all_of_the_next_layer_is_read_before_the_work_on_this_one() {
        reads_one_ahead(&TinyBert::default().folder(), 12);
        reads_one_ahead(&folder_of(&fixture::files(fixture::shape("tiny-llama").unwrap()).unwrap()).unwrap(), 7);
    }

    #[test]
    fn fused_projections_are_read_once() {
        let gpt2 = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/models/gpt2-stories");
        reads_one_ahead(&Folder::open(&gpt2).unwrap(), 8);
    }
}
