/* A viewer: looks at one part of a restored picture after the other, as dialogs do, and prints how often progress was told
 * for each. viewer PICTURE */
#include <gegl.h>
#include <stdio.h>

static void count (GeglNode *node, gdouble progress, gpointer times)
{
  (void) node;
  (void) progress;
  ++*(int *) times;
}

static int look (GeglNode *node, int x, int y, int *times)
{
  const int before = *times;
  float pixels[8 * 8 * 4];
  gegl_node_blit (node, 1.0, GEGL_RECTANGLE (x, y, 8, 8), babl_format ("R'G'B'A float"), pixels, 8 * 4 * sizeof (float),
                  GEGL_BLIT_CACHE);
  return *times - before;
}

int main (int argc, char **argv)
{
  int times = 0;
  GeglNode *graph, *load, *restore;
  if (argc != 2) return 2;
  gegl_init (NULL, NULL);
  graph = gegl_node_new ();
  load = gegl_node_new_child (graph, "operation", "gegl:load", "path", argv[1], NULL);
  restore = gegl_node_new_child (graph, "operation", "kds:restore", "particles", 2, "steps", 2, "seed", 5, NULL);
  gegl_node_link (load, restore);
  g_signal_connect (restore, "progress", G_CALLBACK (count), &times);
  printf ("first %d\n", look (restore, 0, 0, &times));
  printf ("beside %d\n", look (restore, 12, 8, &times));
  printf ("again %d\n", look (restore, 0, 0, &times));
  gegl_node_set (restore, "steps", 3, NULL);
  printf ("changed %d\n", look (restore, 0, 0, &times));
  g_object_unref (graph);
  gegl_exit ();
  return 0;
}
